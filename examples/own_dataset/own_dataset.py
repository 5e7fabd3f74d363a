"""A data set of one's own: a folder for each class, `photos/cat/1.jpg`; one tag a photo, no masks."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError


class FolderPerClass(TaggedDataset):
    """Photos in folders that are named by their class.

    Args:
        root: holds the folders.
        val_every: each so manieth photo is kept from training; the network is tested on these.
    """

    def __init__(self, root: str, val_every: int = 5) -> None:
        self.root = Path(root)
        photos = sorted(path.relative_to(root).with_suffix("").as_posix() for path in self.root.glob("*/*.jpg"))
        if not photos:
            raise UserError(f"{root}: no photos; expected {root}/CLASS/NAME.jpg")
        self.class_names = tuple(sorted({photo.partition("/")[0] for photo in photos}))
        self.val = photos[::val_every]
        self.train = [photo for number, photo in enumerate(photos) if number % val_every]

    def ids(self, split: Split) -> list[str]:
        """Ids are paths inside the root, without suffix; without masks there is no split `seed` to score."""
        return {"train": self.train, "val": self.val}.get(split, [])

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        return self.root / f"{image_id}.jpg"

    def tags(self, image_id: str) -> NDArray[np.int64]:
        """The one class of a photo."""
        return np.array([self.class_names.index(image_id.partition("/")[0])])
