"""Shapes: the embedded data set. Generated once, then it is an ordinary VOC folder with exact masks."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image

from acr_lightning.artefacts.atomic import new_folder, write_json, write_text
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.artefacts.text_file import read_json
from acr_lightning.data.shapes_scenes import CLASS_NAMES, VERSION, draw_scene
from acr_lightning.data.voc import VOC2012
from acr_lightning.errors import UserError

log = logging.getLogger(__name__)
RECIPE = "shapes.json"


class Shapes(VOC2012):
    """Generated scenes whose classes share their bodies and differ by the pattern that these wear, most at the head.

    A plain CAM stays near the head; the true mask is the whole body. Bodies without a pattern are background.

    Args:
        root: where the scenes are written (VOC layout) when they are not there yet.
        num_train: scenes to train on.
        num_val: held-out scenes: the network predicts on them and CAMs are scored on them.
        size: side of the square scenes, pixels.
        num_classes: how many of the patterns are used.
        seed: of the scenes.

    Raises:
        UserError: the root holds other scenes or something else, or cannot be written.
    """

    known_classes = CLASS_NAMES

    def __init__(
        self,
        root: str = "data/shapes",
        num_train: int = 2000,
        num_val: int = 300,
        size: int = 64,
        num_classes: int = len(CLASS_NAMES),
        seed: int = 0,
    ) -> None:
        recipe = {"num_train": num_train, "num_val": num_val, "size": size, "num_classes": num_classes, "seed": seed}
        _generate(Path(root), {"version": VERSION, **recipe})
        super().__init__(root, list(CLASS_NAMES[:num_classes]), train_list="train", seed_list="val", val_list="val")


def _generate(root: Path, recipe: dict[str, int]) -> None:
    """Write the scenes unless they are there."""
    if not root.exists():
        _write(root, recipe)
    if not (root / RECIPE).is_file() or read_json(root / RECIPE) != recipe:
        raise UserError(f"{root}: holds other data than these Shapes; set another dataset.root, or remove the folder")


def _write(root: Path, recipe: dict[str, int]) -> None:
    """Write the scenes under a temporary name, then rename the folder: it is whole or absent."""
    try:
        with new_folder(root) as folder:
            _draw(folder, recipe)
    except OSError as error:
        if root.is_dir():
            log.info("%s: another command was the first to write these Shapes", root)
            return
        raise UserError(f"{root}: cannot be written ({error.strerror}); set another dataset.root") from None
    log.info("wrote %d Shapes scenes to %s", recipe["num_train"] + recipe["num_val"], root)


def _draw(root: Path, recipe: dict[str, int]) -> None:
    for split_number, (split, count) in enumerate((("train", recipe["num_train"]), ("val", recipe["num_val"]))):
        ids = [f"{split}_{index:05d}" for index in range(count)]
        for index, image_id in enumerate(ids):
            rng = np.random.default_rng([recipe["seed"], split_number, index])
            _write_scene(root, image_id, rng, recipe["size"], recipe["num_classes"])
        write_text(root / "ImageSets" / "Segmentation" / f"{split}.txt", "\n".join(ids) + "\n")
    write_json(root / RECIPE, recipe)


def _write_scene(root: Path, image_id: str, rng: np.random.Generator, size: int, num_classes: int) -> None:
    """One scene in VOC layout: photo, mask, and the tags as XML objects."""
    scene = draw_scene(rng, size, num_classes)
    photo = root / "JPEGImages" / f"{image_id}.jpg"
    photo.parent.mkdir(exist_ok=True)
    Image.fromarray(scene.image).save(photo, quality=95, subsampling=0)
    write_mask(root / "SegmentationClass" / f"{image_id}.png", scene.mask)
    objects = "".join(f"<object><name>{CLASS_NAMES[tag]}</name></object>" for tag in scene.tags)
    annotation = root / "Annotations" / f"{image_id}.xml"
    annotation.parent.mkdir(exist_ok=True)
    annotation.write_text(f"<annotation><filename>{image_id}.jpg</filename>{objects}</annotation>\n")
