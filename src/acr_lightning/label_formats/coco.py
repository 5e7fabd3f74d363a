"""COCO's JSON: run-length encodings, an object for each part that hangs together, since CVAT takes no other."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from acr_lightning.label_formats.label_map import LabelMap, components


def write_coco(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `annotations.json`; category ids are the labels, and the label 255 is left out."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, one in enumerate(maps, start=1):
        height, width = one.labels.shape
        images.append({"id": number, "file_name": one.file_name, "height": height, "width": width})
        for label, _, region in one.regions(class_names):
            for part in components(region):
                encoding = coco.encode(np.asfortranarray(part, dtype=np.uint8))
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": label,
                        "iscrowd": 0,
                        "area": int(part.sum()),
                        "bbox": coco.toBbox(encoding).tolist(),
                        "segmentation": {"size": [height, width], "counts": encoding["counts"].decode()},
                        **one.score(label, part),
                    }
                )
    categories = [{"id": label, "name": name} for label, name in enumerate(class_names, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content))
