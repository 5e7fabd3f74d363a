"""A few photos of a data set, for a trial."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.classes.class_names import build
from acr_lightning.data.tagged import Split, TaggedDataset


class FirstPhotos(TaggedDataset):
    """The first photos of each split of another data set.

    Args:
        dataset: `class_path` and `init_args` of the whole.
        photos: how many of each split.
    """

    def __init__(self, dataset: dict[str, Any], photos: int) -> None:
        self.dataset: TaggedDataset = build(dataset, "dataset", TaggedDataset)
        self.photos = photos
        self.class_names = self.dataset.class_names

    @property
    def num_stored_labels(self) -> int:  # noqa: D102
        return self.dataset.num_stored_labels

    def ids(self, split: Split) -> list[str]:  # noqa: D102
        return self.dataset.ids(split)[: self.photos]

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        return self.dataset.image_path(image_id)

    def tags(self, image_id: str) -> NDArray[np.int64]:  # noqa: D102
        return self.dataset.tags(image_id)

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return self.dataset.mask_path(image_id)

    def make_masks(self, ids: list[str]) -> None:  # noqa: D102
        self.dataset.make_masks(ids)

    def relabel(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:  # noqa: D102
        return self.dataset.relabel(mask)
