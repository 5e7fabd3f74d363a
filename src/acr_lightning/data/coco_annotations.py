"""COCO's instance annotations, with every field checked that is used."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.errors import UserError, shown

ID = (int, str)
FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": ID, "file_name": (str,), "height": (int,), "width": (int,)},
    # What is no segmentation is named when it is drawn: tags do not need it.
    "annotations": {"id": ID, "image_id": ID, "category_id": ID, "segmentation": (object,)},
    "categories": {"id": ID, "name": (str,)},
}
# Pillow reads no larger photo.
MOST_PIXELS = 178_956_970


def read_annotations(path: Path) -> dict[str, Any]:
    """Read COCO annotations.

    Raises:
        UserError: the file is missing, damaged, or has not the lists of COCO's instance annotations; the item is named.
    """
    content = read_json(path, "unpack or download it again")
    if not isinstance(content, dict):
        raise UserError(f"{path}: not COCO annotations, expected an object")
    for name, fields in FIELDS.items():
        if not isinstance(content.get(name), list):
            raise UserError(f"{path}: not COCO's instance annotations, it has no list '{name}'")
        for number, item in enumerate(content[name]):
            if fault := item_fault(item, fields):
                raise UserError(f"{path}: {name}[{number}] {fault}")
    for number, image in enumerate(content["images"]):
        if fault := _image_fault(image):
            raise UserError(f"{path}: images[{number}]: {fault}")
    if len(content["categories"]) >= IGNORE:
        raise UserError(f"{path}: {len(content['categories'])} categories, a mask holds {IGNORE - 1} at the most")
    return content


def item_fault(item: Any, fields: dict[str, tuple[type, ...]]) -> str | None:
    """What is wrong with an object that must have these fields, to be put after its name; None where nothing is."""
    if not isinstance(item, dict):
        return "is no object"
    for key, types in fields.items():
        if key not in item:
            return f"has no '{key}'"
        if not isinstance(item[key], types):
            return f"has the {key} {shown(str(item[key]))}, expected {' or '.join(one.__name__ for one in types)}"
    return None


def _image_fault(image: dict[str, Any]) -> str | None:
    height, width, name = image["height"], image["width"], image["file_name"]
    if min(height, width) < 1 or height * width > MOST_PIXELS:
        return f"{shown(f'{width}×{height}')} is no size of a photo"
    fault = id_fault(name, suffix="")
    return fault and f"file_name {shown(name)} {fault}"
