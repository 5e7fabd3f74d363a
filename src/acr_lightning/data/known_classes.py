"""Data sets with a fixed list of classes, all or some of which are kept."""

import logging
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from acr_lightning.data.class_faults import require_class_names
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError, nearest

log = logging.getLogger(__name__)


class KnownClasses(TaggedDataset, ABC):
    """A data set whose mask files hold 1.. in the order of `known_classes`, of which `class_names` are kept.

    Tags of the other classes are dropped, and their pixels are 255.

    Attributes:
        known_classes: every class of the data set, in the order of its mask files' labels.
    """

    known_classes: tuple[str, ...]

    @property
    def num_stored_labels(self) -> int:  # noqa: D102
        return len(self.known_classes) + 1

    def keep_classes(self, classes: list[str] | None) -> None:
        """Set `class_names`.

        Args:
            classes: the classes to keep, in the order of their labels; all if None.

        Raises:
            UserError: a class is unknown, named twice, or called what none can be.
        """
        for name in classes or ():
            if name not in self.known_classes:
                raise UserError(f"classes: no class '{name}' in this data set.{nearest(name, self.known_classes)}")
        self.class_names = tuple(classes or self.known_classes)
        require_class_names(self.class_names, "classes")
        self._ids: dict[Split, list[str]] = {}

    def ids(self, split: Split) -> list[str]:
        """The ids of a split; in `train`, only photos that show a kept class.

        Raises:
            UserError: an id is unknown or has no photo, or a training photo's tags cannot be read.
        """
        if split not in self._ids:
            ids = self.listed(split)
            paths = [self.image_path(image_id) for image_id in ids]
            # One look into a folder instead of one for each of 80,000 photos.
            photos = {photo for folder in {path.parent for path in paths} for photo in folder.glob("*")}
            if missing := [path for path in paths if path not in photos]:
                raise UserError(f"{missing[0]}: no such photo ({len(missing)} of {len(ids)} are missing)")
            self._ids[split] = [image_id for image_id in ids if split != "train" or len(self.tags(image_id))]
            if count := len(ids) - len(self._ids[split]):
                log.info("%d of %d training photos show none of the classes and are left out", count, len(ids))
        return list(self._ids[split])

    @abstractmethod
    def listed(self, split: Split) -> list[str]:  # noqa: D102
        ...

    def stored_labels(self) -> NDArray[np.uint8]:
        """What the mask files hold for each label 0..K, `[K + 1]`."""
        return np.array([0, *(self.known_classes.index(name) + 1 for name in self.class_names)], np.uint8)

    def relabel(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The mask files' values to 0..K in the order of `class_names`; pixels of other classes become 255."""
        table = np.full(256, 255, np.uint8)
        table[self.stored_labels()] = np.arange(self.num_classes + 1, dtype=np.uint8)
        return table[mask]
