"""COCO's JSON, of boxes or of masks: the categories of a photo's objects are its tags."""

from pathlib import Path
from typing import Any

from acr_lightning.data.coco_annotations import ID, item_fault
from acr_lightning.data.tags.records import Records
from acr_lightning.errors import UserError

FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "images": {"id": ID, "file_name": (str,)},
    "categories": {"id": ID, "name": (str,)},
    "annotations": {"image_id": ID, "category_id": ID},
}


def from_coco(path: Path, content: Any) -> Records | None:
    """Records of photos and the categories of their objects; None where these are no COCO annotations.

    Raises:
        UserError: an id is there twice, or an annotation names an unknown one.
    """
    if not isinstance(content, dict) or not all(isinstance(content.get(name), list) for name in FIELDS):
        return None
    for name, fields in FIELDS.items():
        for number, item in enumerate(content[name]):
            if fault := item_fault(item, fields):
                raise UserError(f"{path}: {name}[{number}] {fault}")
    names = {one["id"]: one["name"] for one in content["categories"]}
    tags: dict[int | str, dict[str, None]] = {one["id"]: {} for one in content["images"]}
    if len(names) < len(content["categories"]) or len(tags) < len(content["images"]):
        raise UserError(f"{path}: two images, or two categories, have one id")
    for number, one in enumerate(content["annotations"]):
        if one["image_id"] not in tags or one["category_id"] not in names:
            raise UserError(f"{path}: annotations[{number}] names an unknown photo or category")
        tags[one["image_id"]][names[one["category_id"]]] = None
    return [{"image": one["file_name"], "tags": list(tags[one["id"]])} for one in content["images"]]
