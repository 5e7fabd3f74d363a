"""PASCAL VOC 2012, devkit layout."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.data.id_list import list_path, read_ids
from acr_lightning.data.known_classes import KnownClasses
from acr_lightning.data.remote_path import location
from acr_lightning.data.tagged import Split
from acr_lightning.errors import UserError, nearest, shown

VOC_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class VOC2012(KnownClasses):
    """PASCAL VOC 2012: tags from the XML boxes, masks from `SegmentationClass` (scoring only).

    Args:
        root: the folder that holds `JPEGImages`, `Annotations`, `SegmentationClass` and `ImageSets`, or its address
            (`s3://bucket/VOC2012`).
        classes: the classes to keep, in the order of their labels; all 20 if null. Tags of the others are
            dropped, their pixels are 255, and photos that show none of the kept classes are left out of training.
        train_list: ids to train on: a name in `ImageSets/Segmentation`, or a path to a file with one id a line
            (also looked for beside the shipped configs).
        seed_list: ids of the photos whose CAMs and pseudo-labels are scored.
        val_list: ids on which the segmentation network predicts and is scored.
        test_list: ids to predict on for the evaluation server; their photos come with the server's own archive.

    Raises:
        UserError: the root or a list is missing, a class is unknown, an id has no photo or no tag.
    """

    known_classes: tuple[str, ...] = VOC_CLASSES

    def __init__(
        self,
        root: str = "data/VOC2012",
        classes: list[str] | None = None,
        train_list: str = "train_aug",
        seed_list: str = "train",
        val_list: str = "val",
        test_list: str = "test",
    ) -> None:
        self.root = location(root)
        self._check_root()
        self.keep_classes(classes)
        self.lists: dict[Split, str] = {
            "train": train_list, "seed": seed_list, "val": val_list, "test": test_list,
        }  # fmt: skip
        self._index = {name: index for index, name in enumerate(self.class_names)}
        self._tags: dict[str, tuple[int, ...]] = {}

    def _check_root(self) -> None:
        for folder in ("JPEGImages", "Annotations", "ImageSets/Segmentation"):
            if not (self.root / folder).is_dir():
                raise UserError(
                    f"{self.root}: not a VOC 2012 folder, it has no {folder}; "
                    "set dataset.root to the folder that holds JPEGImages"
                )

    def listed(self, split: Split) -> list[str]:  # noqa: D102
        return read_ids(self._list_path(self.lists[split]))

    def _list_path(self, name: str) -> Path:
        return list_path(name) if name.endswith(".txt") else self.root / "ImageSets" / "Segmentation" / f"{name}.txt"

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return self.root / "SegmentationClass" / f"{image_id}.png"

    def tags(self, image_id: str) -> NDArray[np.int64]:
        """The kept classes that have a box in the photo, ascending, counted from 0.

        Raises:
            UserError: the XML is missing or damaged, names an unknown class, or holds no object.
        """
        if image_id not in self._tags:
            self._tags[image_id] = self._read_tags(image_id)
        return np.array(self._tags[image_id], dtype=np.int64)

    def _read_tags(self, image_id: str) -> tuple[int, ...]:
        path = self.root / "Annotations" / f"{image_id}.xml"
        try:
            names = [node.text or "" for node in ElementTree.fromstring(path.read_bytes()).iterfind("object/name")]
        except FileNotFoundError:
            raise UserError(f"{path}: no annotation for id '{image_id}'; tags are read from the XML boxes") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        except (ElementTree.ParseError, ValueError, LookupError) as error:  # the last two: of encodings
            raise UserError(f"{path}: damaged annotation ({error})") from None
        if not names:
            raise UserError(f"{path}: photo '{image_id}' has no tag; every photo needs at least one object")
        for name in names:
            if name not in self.known_classes:
                raise UserError(f"{path}: unknown class {shown(name)}.{nearest(name, self.known_classes)}")
        return tuple(sorted({self._index[name] for name in names if name in self._index}))
