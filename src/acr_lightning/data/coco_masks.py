"""Masks drawn from COCO's instances, once, by one rule, for scoring.

The rule: crowd regions are painted 255, then the instances in the order of the JSON, a later one over an earlier one.
So a crowd region keeps 255 where no single instance was drawn, and what nothing covers is background.
"""

import logging
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import IGNORE, write_mask
from acr_lightning.data.coco_annotations import read_annotations
from acr_lightning.errors import UserError
from acr_lightning.system.pool import map_in_pool

log = logging.getLogger(__name__)
# Fewer are drawn sooner than a pool of processes starts.
FEW = 200


class Instance(NamedTuple):
    """One annotated object.

    Attributes:
        annotation: its id in the JSON, for messages.
        label: 1..K.
        crowd: whether it is a crowd region.
        segmentation: polygons, or a run-length encoding, as the JSON has it.
    """

    annotation: int
    label: int
    crowd: bool
    segmentation: Any


class Picture(NamedTuple):
    """A mask to be drawn."""

    path: Path
    height: int
    width: int
    instances: list[Instance]


def draw_mask(height: int, width: int, instances: list[Instance]) -> NDArray[np.uint8]:
    """Draw one mask by the rule of this module.

    Args:
        height: of the photo.
        width: of the photo.
        instances: in the order of the JSON.

    Returns:
        `[H, W]`, 0 background, 1..K, 255 not scored.

    Raises:
        UserError: a segmentation cannot be drawn; the annotation is named.
    """
    mask = np.zeros((height, width), np.uint8)
    for instance in sorted(instances, key=lambda one: not one.crowd):  # a stable sort: crowds first
        mask[_region(instance, height, width)] = IGNORE if instance.crowd else instance.label
    return mask


def _region(instance: Instance, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of one instance, `[H, W]`."""
    from pycocotools import mask as coco

    shape = instance.segmentation
    try:
        if isinstance(shape, list):
            # Less than three points have no area, and pycocotools would take two for a box.
            polygons = [_checked(polygon, max(height, width)) for polygon in shape if len(polygon) >= 6]
            if not polygons:
                return np.zeros((height, width), bool)
            encoding = coco.merge(coco.frPyObjects(polygons, height, width))
        else:
            size, counts = list(shape["size"]), shape["counts"]
            # pycocotools trusts both, and would write past the end.
            if not counts or size != [height, width] or (isinstance(counts, list) and sum(counts) != height * width):
                raise ValueError(f"run lengths of {size}, the photo has [{height}, {width}]")
            encoding = coco.frPyObjects(shape, height, width) if isinstance(counts, list) else shape
        return np.asarray(coco.decode(encoding).astype(bool))
    except Exception as error:  # pycocotools raises no other
        raise UserError(f"annotation {instance.annotation}: its segmentation cannot be drawn ({error})") from None


def _checked(polygon: list[float], side: int) -> list[float]:
    """A polygon with corners near the photo: pycocotools would go to others pixel by pixel, until memory ends."""
    if not all(-side <= value <= 2 * side for value in polygon):
        raise ValueError("a corner lies far outside of the photo")
    return polygon


def draw_masks(annotations: Path, folder: Path, ids: list[str]) -> None:
    """Draw the masks of these photos that are not there yet, in a pool of processes.

    Args:
        annotations: `instances_*.json`; it is read by this process alone.
        folder: of the masks, `<id>.png`, labels in the order of the JSON's categories.
        ids: file names of photos without their suffix.

    Raises:
        UserError: a segmentation cannot be drawn.
    """
    missing_ids = {image_id for image_id in ids if not item_path(folder, image_id, ".png").is_file()}
    if not missing_ids:
        return
    log.info("drawing %d masks of %s into %s", len(missing_ids), annotations, folder)
    pictures = _pictures(annotations, folder, missing_ids)
    for _ in map_in_pool(_draw, pictures, "masks", few=FEW):
        pass


def _pictures(annotations: Path, folder: Path, ids: set[str]) -> list[Picture]:
    objects = defaultdict(list)  # of a photo, with their categories, whose labels are not known yet

    def take(one: dict[str, Any]) -> None:
        instance = Instance(one["id"], 0, bool(one.get("iscrowd", 0)), one["segmentation"])
        objects[one["image_id"]].append((one["category_id"], instance))

    content = read_annotations(annotations, take)
    labels = {category["id"]: label for label, category in enumerate(content["categories"], start=1)}
    pictures = []
    for image in content["images"]:
        image_id = PurePosixPath(image["file_name"]).stem
        if image_id in ids:
            instances = [one._replace(label=labels[category]) for category, one in objects[image["id"]]]
            pictures.append(Picture(item_path(folder, image_id, ".png"), image["height"], image["width"], instances))
    return pictures


def _draw(picture: Picture) -> None:
    try:
        mask = draw_mask(picture.height, picture.width, picture.instances)
    except UserError as error:
        raise UserError(f"{picture.path.stem}: {error}") from None
    write_mask(picture.path, mask)
