"""Label maps in each format, read back: by the format's library where it is small enough, else by its documents."""

import io
import json
import zipfile
from fractions import Fraction

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.errors import UserError
from acr_lightning.label_formats import WRITERS
from acr_lightning.label_formats.label_map import LabelMap

CLASSES = ["dog", "traffic light", "<&\"é'>"]


def blobs(rng, height, width):
    """Three labels in round pieces of any size, with holes, corners that touch, single pixels, and some unknown."""
    labels = np.zeros((height, width), np.uint8)
    for _ in range(14):
        centre = rng.integers(0, [width, height]).tolist()
        cv2.circle(labels, centre, int(rng.integers(0, 12)), int(rng.choice([0, 1, 2, 3, IGNORE])), -1)
    labels[:2, :2] = [[1, 0], [0, 1]]
    return labels


@pytest.fixture
def maps(tmp_path, rng):
    """Eight label maps, one of them of one label and one of none."""
    maps = []
    for number in range(8):
        height, width = 40 + 3 * number, 61 - 2 * number
        labels = blobs(rng, height, width) if number < 6 else np.full((height, width), number - 6, np.uint8)
        photo = tmp_path / "photos" / ("sea" if number % 2 else ".") / f"{number}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)).save(photo)
        scores = {label: rng.random((height, width), np.float32) for label in (1, 2, 3)} if number < 4 else {}
        name = photo.relative_to(tmp_path / "photos").with_suffix("").as_posix()
        maps.append(LabelMap(name, photo, labels, scores, "val" if number > 5 else "train"))
    return maps


@pytest.fixture
def written(maps, tmp_path):
    def write(form, *own):
        folder = tmp_path / form
        folder.mkdir()
        WRITERS[form](iter(own or maps), CLASSES, folder)
        return folder

    return write


def known(labels):
    """A label map where what is unknown is background."""
    return np.where(labels == IGNORE, 0, labels)


def test_coco_is_read_by_pycocotools(written, maps):
    data = COCO(str(written("coco") / "annotations.json"))
    assert {one["id"]: one["name"] for one in data.loadCats(data.getCatIds())} == dict(enumerate(CLASSES, start=1))
    for one, (number, image) in zip(maps, data.imgs.items(), strict=True):
        assert (image["file_name"], image["height"], image["width"]) == (f"{one.name}.jpg", *one.labels.shape)
        read = np.zeros_like(one.labels)
        for annotation in data.loadAnns(data.getAnnIds(number)):
            part = data.annToMask(annotation).astype(bool)
            assert cv2.connectedComponents(part.astype(np.uint8))[0] == 2  # CVAT takes no other
            assert not read[part].any()
            rows, columns = np.nonzero(part)
            left, top, width, height = annotation["bbox"]
            assert (left, top) == (columns.min(), rows.min())
            assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())
            assert annotation["area"] == part.sum() == coco_masks.area(annotation["segmentation"])
            score = one.scores.get(annotation["category_id"])
            assert annotation.get("score") == (None if score is None else pytest.approx(score[part].mean(), abs=1e-4))
            read[part] = annotation["category_id"]
        np.testing.assert_array_equal(read, known(one.labels))


def test_cvats_colours_are_the_labels(written, maps):
    """By its documents: a colour of `labelmap.txt` is a label, and each photo of the list has its PNG."""
    with zipfile.ZipFile(written("cvat") / "masks.zip") as file:
        legend = [line.split(":") for line in file.read("labelmap.txt").decode().splitlines() if line[0] != "#"]
        colours = {tuple(map(int, colour.split(","))): name for name, colour, _, _ in legend}
        names = file.read("ImageSets/Segmentation/default.txt").decode().split()
        assert names == [one.name for one in maps]
        for one in maps:
            pixels = np.asarray(Image.open(io.BytesIO(file.read(f"SegmentationClass/{one.name}.png"))).convert("RGB"))
            read = [[["background", *CLASSES].index(colours[tuple(pixel)]) for pixel in row] for row in pixels.tolist()]
            np.testing.assert_array_equal(read, known(one.labels))


def test_cvat_takes_no_colon(maps, tmp_path):
    with pytest.raises(UserError, match="class 'a:b': CVAT's format takes no colon"):
        WRITERS["cvat"](iter(maps), ["a:b"], tmp_path)


def decoded(rle):
    """Label Studio's decoding, bit by bit: of `label_studio_sdk`, whose own pins do not fit to this project's."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    at = 0

    def read(size):
        nonlocal at
        at += size
        return int(bits[at - size : at], 2)

    count, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values = []
    while len(values) < count:
        is_run, length = read(1), 1 + read(sizes[read(2)])
        values += [read(word)] * length if is_run else [read(word) for _ in range(length)]
    return np.array(values)


def test_label_studios_strokes_are_the_masks(written, maps):
    large = maps[6]._replace(labels=np.tri(300, 400, dtype=np.uint8), scores={})  # runs longer than 16 bits count
    tasks = json.loads((written("labelstudio", *maps, large) / "tasks.json").read_text())
    for one, task in zip([*maps, large], tasks, strict=True):
        assert task["data"] == {"image": f"/data/local-files/?d={one.name}.jpg"}
        [prediction] = task["predictions"]
        read = np.zeros_like(one.labels)
        for result in prediction["result"]:
            height, width = result["original_height"], result["original_width"]
            picture = decoded(result["value"]["rle"]).reshape(height, width, 4)
            assert (picture == picture[..., :1]).all()
            assert set(np.unique(picture)) <= {0, 255}
            [name] = result["value"]["brushlabels"]
            label = CLASSES.index(name) + 1
            read[picture[..., 3] == 255] = label
            if one.scores:
                assert result["score"] == pytest.approx(one.scores[label][one.labels == label].mean(), abs=1e-4)
        np.testing.assert_array_equal(read, known(one.labels))
        assert ("score" in prediction) == bool(one.scores)


def test_label_studios_interface_names_the_classes(written):
    from xml.etree import ElementTree

    tree = ElementTree.parse(written("labelstudio") / "label_config.xml")
    assert [label.get("value") for label in tree.iter("Label")] == CLASSES


def inside(corners, row, column):
    """Whether a point lies in a polygon or on its edge, by crossings counted exactly."""
    crossings = False
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (x1 - x0) * (row - y0) - (y1 - y0) * (column - x0)
        if cross == 0 and min(x0, x1) <= column <= max(x0, x1) and min(y0, y1) <= row <= max(y0, y1):
            return True
        if (y0 > row) != (y1 > row):
            crossings ^= column < x0 + Fraction((x1 - x0) * (row - y0), y1 - y0)
    return crossings


def polygons_of(path, shape):
    """Class and corners of each line; a corner is a pixel's centre."""
    for line in path.read_text().splitlines():
        label, *values = line.split()
        assert len(values) >= 6  # fewer are not taken
        corners = np.array(values, float).reshape(-1, 2) * shape[::-1] - 0.5
        np.testing.assert_allclose(corners, corners.round(), atol=1e-3)
        yield int(label), [tuple(map(int, corner)) for corner in corners.round()]


def test_yolos_polygons_are_nearly_the_masks(written, maps):
    folder = written("yolo")
    content = yaml.safe_load((folder / "data.yaml").read_text())
    assert content == {"train": "images/train", "val": "images/val", "names": dict(enumerate(CLASSES))}
    for one in maps:
        assert (folder / "images" / one.split / f"{one.name}.jpg").read_bytes() == one.photo.read_bytes()
        read = np.zeros((len(CLASSES), *one.labels.shape), bool)
        for label, corners in polygons_of(folder / "labels" / one.split / f"{one.name}.txt", one.labels.shape):
            filled = cv2.fillPoly(np.zeros(one.labels.shape, np.uint8), [np.array(corners)], 1).astype(bool)
            plain = [[inside(corners, row, column) for column in range(filled.shape[1])] for row in range(len(filled))]
            np.testing.assert_array_equal(plain | filled, filled)  # OpenCV also paints what an edge only touches
            read[label] |= filled
        for label in range(len(CLASSES)):
            mask = one.labels == label + 1
            assert not mask.any() or (read[label] & mask).sum() / (read[label] | mask).sum() >= 0.95


def test_a_hole_stays_a_hole_in_yolo(written, maps):
    labels = np.ones((40, 40), np.uint8)
    labels[10:20, 10:30] = 0
    labels[25:35, 5:15] = 2
    one = maps[0]._replace(labels=labels)
    path = written("yolo", one) / "labels" / "train" / f"{one.name}.txt"
    of_dog = [corners for label, corners in polygons_of(path, labels.shape) if label == 0]
    filled = cv2.fillPoly(np.zeros_like(labels), [np.array(of_dog[0])], 1)
    assert len(of_dog) == 1
    assert ((filled == 1) & (labels == 1)).sum() / ((filled == 1) | (labels == 1)).sum() > 0.98


def test_ultralytics_masks_lie_where_its_photos_do(written, maps):
    folder = written("semantic")
    content = yaml.safe_load((folder / "data.yaml").read_text())
    assert content["names"] == dict(enumerate(["background", *CLASSES]))
    for one in maps:
        photo = folder / content[one.split] / f"{one.name}.jpg"
        assert photo.read_bytes() == one.photo.read_bytes()
        mask = folder / str(photo.relative_to(folder)).replace("images", content["masks_dir"], 1).replace(
            ".jpg", ".png"
        )
        np.testing.assert_array_equal(cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE), one.labels)


@pytest.mark.parametrize("split", ["train", "val"])
def test_ultralytics_wants_both_splits(written, maps, split):
    folder = written("semantic", *[one for one in maps if one.split == split])
    content = yaml.safe_load((folder / "data.yaml").read_text())
    assert (content["train"], content["val"]) == (f"images/{split}", f"images/{split}")


def test_hugging_faces_folder(written, maps):
    """By its documents: a line a photo, and a column of pictures for each field `…file_name`."""
    folder = written("huggingface")
    assert json.loads((folder / "id2label.json").read_text()) == {
        str(label): name for label, name in enumerate(["background", *CLASSES])
    }
    read = [
        (folder / split, json.loads(line))
        for split in ("train", "val")
        for line in (folder / split / "metadata.jsonl").read_text().splitlines()
    ]
    for one, (place, record) in zip(maps, read, strict=True):
        assert place.name == one.split
        assert (place / record["file_name"]).read_bytes() == one.photo.read_bytes()
        np.testing.assert_array_equal(np.asarray(Image.open(place / record["mask_file_name"])), one.labels)
        assert record["classes"] == [CLASSES[label - 1] for label in np.unique(known(one.labels)) if label]
