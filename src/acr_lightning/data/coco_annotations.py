"""COCO's instance annotations, with every field checked that is used."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ijson
import numpy as np

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
# Brackets within brackets. For each, ijson keeps the path to it: a file of 100 kB could take all memory.
MOST_NESTED = 1000
# Pillow reads no larger photo.
MOST_PIXELS = 178_956_970
REMEDY = "unpack or download it again"


def read_annotations(path: Path, take: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Read COCO annotations, which may be more than the memory holds.

    Args:
        path: `instances_*.json`.
        take: gets each item of the list `annotations`, in the file's order; what it returns is let go.

    Returns:
        `images` and `categories`, of each item only the fields that are used.

    Raises:
        UserError: the file is missing, damaged, or has not the lists of COCO's instance annotations; the item is named.
    """
    _require_shallow(path)
    content: dict[str, list[dict[str, Any]]] = {name: [] for name in FIELDS}
    for name, fields in FIELDS.items():
        for number, item in enumerate(_items(path, name)):
            if fault := item_fault(item, fields):
                raise UserError(f"{path}: {name}[{number}] {fault}")
            if name == "images" and (fault := _image_fault(item)):
                raise UserError(f"{path}: images[{number}]: {fault}")
            take(item) if name == "annotations" else content[name].append({key: item[key] for key in fields})
    if len(content["categories"]) >= IGNORE:
        raise UserError(f"{path}: {len(content['categories'])} categories, a mask holds {IGNORE - 1} at the most")
    return content


def _require_shallow(path: Path) -> None:
    """Refuse what is nested without end; brackets in texts count as well."""
    nested = 0
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                characters = np.frombuffer(part, np.uint8)
                steps = np.isin(characters, list(b"[{")).astype(np.int32) - np.isin(characters, list(b"]}"))
                if nested + steps.cumsum().max() > MOST_NESTED:
                    read_json(path, REMEDY)  # knows where it is damaged, if it is
                    raise UserError(f"{path}: damaged JSON (nested too deeply); {REMEDY}")
                nested += int(steps.sum())
    except OSError:
        read_json(path, REMEDY)


def _items(path: Path, name: str) -> Iterator[Any]:
    """The items of a list, of which one is in memory at a time."""
    item = None
    try:
        with path.open("rb") as file:
            for item in ijson.items(file, f"{name}.item", use_float=True):
                yield item
    except (OSError, ijson.JSONError) as error:
        read_json(path, REMEDY)  # knows the line
        raise UserError(f"{path}: not JSON as the standard has it ({str(error).splitlines()[0]}); {REMEDY}") from None
    if item is None:
        content = read_json(path, REMEDY)
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise UserError(f"{path}: not COCO's instance annotations, it has no list '{name}'")


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
