"""A tiny data set in COCO's layout: rectangles of a class's own colour, drawn as polygons and run lengths."""

import json

import numpy as np
from PIL import Image

# As in the real files: 80 categories, whose ids go up to 90.
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CATEGORY_IDS = [number for number in range(1, 91) if number not in GAPS]


def file_name(part, year, number):
    return f"COCO_{part}{year}_{number:012d}.jpg" if year == 2014 else f"{number:012d}.jpg"


def rectangle(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def write_coco(root, year, train=8, val=4, size=64):
    """The last photo of each part has no annotation; the classes go round, two a photo."""
    for part, count, first in (("train", train, 1), ("val", val, 1001)):
        images, annotations = [], []
        (root / f"{part}{year}").mkdir(parents=True)
        for index in range(count + 1):
            rng = np.random.default_rng([year, first, index])
            pixels = rng.integers(0, 60, (size, size, 3)).astype(np.uint8)
            number = first + index
            for position in range(2 if index < count else 0):
                category = CATEGORY_IDS[(2 * index + position) * 7 % 80]
                left, top = int(rng.integers(0, size // 2)), int(rng.integers(0, size // 2))
                pixels[top : top + 24, left : left + 24] = (category * 2, 255 - category * 2, 128)
                annotations.append(
                    {
                        "id": 100 * number + position, "image_id": number, "category_id": category, "iscrowd": 0,
                        "segmentation": rectangle(left, top, left + 24, top + 24),
                    }
                )  # fmt: skip
            name = file_name(part, year, number)
            Image.fromarray(pixels).save(root / f"{part}{year}" / name, quality=95)
            images.append({"id": number, "file_name": name, "height": size, "width": size})
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": number, "name": f"class {number}"} for number in CATEGORY_IDS],
        }
        write_annotations(root, part, year, content)


def annotations_path(root, part, year):
    return root / "annotations" / f"instances_{part}{year}.json"


def write_annotations(root, part, year, content):
    path = annotations_path(root, part, year)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def read_annotations(root, part, year):
    return json.loads(annotations_path(root, part, year).read_text())
