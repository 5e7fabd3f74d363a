"""MS COCO as a data set of tags: instance annotations give the tags, and masks for scoring."""

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.data.coco_index import CocoIndex, read_index
from acr_lightning.data.coco_masks import draw_masks
from acr_lightning.data.id_list import list_path, read_ids
from acr_lightning.data.known_classes import KnownClasses
from acr_lightning.data.tagged import Split
from acr_lightning.errors import UserError, nearest

Part = Literal["train", "val"]
PARTS: dict[Split, Part] = {"train": "train", "seed": "train", "val": "val"}


class COCO(KnownClasses):
    """MS COCO: 80 classes, tags from `instances_*.json`, masks drawn from it when something is first scored.

    An id is a photo's file name without the suffix. Labels are 1..80 in the order of the JSON's categories (whose ids
    go up to 90). The rule by which masks are drawn stands in `data/coco_masks.py`.

    Args:
        root: the folder that holds `train<year>`, `val<year>` and `annotations`.
        year: 2014 (the literature's) or 2017.
        classes: the classes to keep, in the order of their labels; all 80 if null. Tags of the others are dropped,
            their pixels are 255, and photos that show none of the kept classes are left out of training.
        train_list: file with the ids to train on, one a line (also looked for beside the shipped configs); if null,
            all photos of `train<year>` that have a tag.
        seed_list: ids of the photos of `train<year>` whose CAMs and pseudo-labels are scored; if null, as for training.
        val_list: ids on which the segmentation network predicts and is scored; if null, all photos of `val<year>` that
            have a tag.
        cache: folder for what is derived from the JSON, its index and the drawn masks; if null, `<root>/acr_cache`.

    Raises:
        UserError: a folder or a JSON is missing or damaged, a class or an id is unknown, or the cache cannot
            be written.
    """

    def __init__(
        self,
        root: str = "data/coco",
        year: Literal[2014, 2017] = 2014,
        classes: list[str] | None = None,
        train_list: str | None = None,
        seed_list: str | None = None,
        val_list: str | None = None,
        cache: str | None = None,
    ) -> None:
        self.root, self.year = Path(root), year
        self.lists = {"train": train_list, "seed": seed_list or train_list, "val": val_list}
        folder = Path(cache) if cache else self.root / "acr_cache"
        self._index: dict[Part, CocoIndex] = {
            "train": read_index(self._annotations("train"), folder),
            "val": read_index(self._annotations("val"), folder),
        }
        self.known_classes = self._index["train"].class_names
        if self._index["val"].class_names != self.known_classes:
            raise UserError(f"{self._annotations('val')}: its categories are not those of the training photos")
        self.keep_classes(classes)
        self._kept = [self.known_classes.index(name) for name in self.class_names]

    def _annotations(self, part: Part) -> Path:
        return self.root / "annotations" / f"instances_{part}{self.year}.json"

    def listed(self, split: Split) -> list[str]:  # noqa: D102
        if split not in PARTS:
            return []
        index, name = self._index[PARTS[split]], self.lists[split]
        if name is None:
            return [image_id for image_id, row in index.rows.items() if index.tagged[row].any()]
        ids = read_ids(list_path(name))
        for image_id in ids:
            if image_id not in index.rows:
                raise UserError(
                    f"{list_path(name)}: no photo '{image_id}' in {self._annotations(PARTS[split])}; an id is a file "
                    f"name without suffix.{nearest(image_id, list(index.rows)[:1000])}"
                )
        return ids

    def _find(self, image_id: str) -> tuple[Part, int]:
        """The part of the data set that a photo belongs to, and its row there."""
        for part, index in self._index.items():
            if (row := index.rows.get(image_id)) is not None:
                return part, row
        raise UserError(f"{image_id}: no such photo in {self.root / 'annotations'}")

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        part, row = self._find(image_id)
        return self.root / f"{part}{self.year}" / self._index[part].files[row]

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return item_path(self._masks(self._find(image_id)[0]), image_id, ".png")

    def mask_source(self, image_id: str) -> Path | None:  # noqa: D102
        return self._annotations(self._find(image_id)[0])  # masks are drawn from it when they are needed

    def _masks(self, part: Part) -> Path:
        return self._index[part].folder / "masks"

    def make_masks(self, ids: list[str]) -> None:
        """Draw the masks that are not there yet.

        Raises:
            UserError: an annotation cannot be drawn, or the cache cannot be written.
        """
        for part in self._index:
            part_ids = [image_id for image_id in ids if self._find(image_id)[0] == part]
            try:
                draw_masks(self._annotations(part), self._masks(part), part_ids)
            except OSError as error:
                raise UserError(
                    f"{self._masks(part)}: cannot be written ({error.strerror}); set dataset.cache"
                ) from None

    def tags(self, image_id: str) -> NDArray[np.int64]:
        """The kept classes that have an annotation in the photo (a crowd counts), ascending, counted from 0."""
        part, row = self._find(image_id)
        return np.flatnonzero(self._index[part].tagged[row, self._kept]).astype(np.int64)
