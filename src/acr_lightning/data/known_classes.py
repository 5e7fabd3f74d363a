"""Data sets with a fixed list of classes, all or some of which are kept."""

import logging
from abc import ABC

import numpy as np
from numpy.typing import NDArray

from acr_lightning.data.class_faults import require_class_names
from acr_lightning.data.tagged import TaggedDataset
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

    def shown(self, ids: list[str]) -> list[str]:
        """Of training photos those that show a kept class; how many do not is logged."""
        remaining_ids = [image_id for image_id in ids if len(self.tags(image_id))]
        if count := len(ids) - len(remaining_ids):
            log.info("%d of %d training photos show none of the classes and are left out", count, len(ids))
        return remaining_ids

    def stored_labels(self) -> NDArray[np.uint8]:
        """What the mask files hold for each label 0..K, `[K + 1]`."""
        return np.array([0, *(self.known_classes.index(name) + 1 for name in self.class_names)], np.uint8)

    def relabel(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The mask files' values to 0..K in the order of `class_names`; pixels of other classes become 255."""
        table = np.full(256, 255, np.uint8)
        table[self.stored_labels()] = np.arange(self.num_classes + 1, dtype=np.uint8)
        return table[mask]
