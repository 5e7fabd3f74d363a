"""What every data set offers: ids by split, photos, tags, perhaps masks."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import label_faults, read_mask
from acr_lightning.data.images import image_size, read_image
from acr_lightning.errors import UserError

Split = Literal["train", "seed", "val", "test"]


class TaggedDataset(ABC):
    """Photos with image-level tags; masks, where there are any, serve for scoring only.

    An argument `masks` says where they are: with other ones, only the stages that read masks are done again.

    Splits: `train` trains both networks and gets pseudo-labels; `seed` is the part of `train` whose CAMs and
    pseudo-labels are scored; `val` is where the segmentation network predicts and is scored; `test` has neither tags
    nor masks, a server scores it.

    Attributes:
        class_names: the K classes, without background.
        masks_of_some: whether scores may be of those photos that have a mask; otherwise all have one or none.
    """

    class_names: tuple[str, ...]
    masks_of_some = False

    @property
    def num_classes(self) -> int:
        """K, without background."""
        return len(self.class_names)

    @abstractmethod
    def ids(self, split: Split) -> list[str]:
        """The ids of a split, in their order; empty where the data set has no such split."""

    @property
    def num_stored_labels(self) -> int:
        """How many labels a mask file may hold, background among them and 255 not."""
        return self.num_classes + 1

    def listed(self, split: Split) -> list[str]:
        """The ids of a split before anything is checked, for `acr data check`, which names every fault."""
        return self.ids(split)

    @abstractmethod
    def image_path(self, image_id: str) -> Path:
        """Where the photo of an id lies."""

    @abstractmethod
    def tags(self, image_id: str) -> NDArray[np.int64]:
        """The classes tagged in a photo, ascending, counted from 0."""

    def mask_path(self, image_id: str) -> Path | None:
        """Where the mask of an id lies, or None in a data set without masks."""
        return None

    def has_mask(self, image_id: str) -> bool:
        """Whether there is a file with the mask of an id."""
        path = self.mask_path(image_id)
        return path is not None and path.is_file()

    def make_masks(self, ids: list[str]) -> None:
        """Draw the masks of these ids where they are not files from the start; called once before scoring."""
        del ids  # most data sets come with mask files

    def scored(self, ids: list[str]) -> list[str]:
        """Those of these photos that can be scored, since they have a mask (see `masks_of_some`).

        Raises:
            UserError: some have a mask and some have not, where none may be missing.
        """
        self.make_masks(ids)
        missing = [one for one in ids if not self.has_mask(one)]
        if 0 < len(missing) < len(ids) and not self.masks_of_some:
            path = self.mask_path(missing[0])
            raise UserError(f"{path}: no such mask ({len(missing)} of {len(ids)} are missing); add it or its id's line")
        without = {*missing}
        return [one for one in ids if one not in without]

    def image(self, image_id: str) -> NDArray[np.uint8]:
        """The photo, RGB, `[H, W, 3]`.

        Raises:
            UserError: it is missing or damaged.
        """
        return read_image(self.image_path(image_id))

    def mask(self, image_id: str) -> NDArray[np.uint8] | None:
        """The true mask `[H, W]` (0 background, 1..K, 255 not scored), or None where there is none.

        Raises:
            UserError: it is damaged, or its size is not the photo's.
        """
        path = self.mask_path(image_id)
        if path is None:
            return None
        labels = self.relabel(read_mask(path, size=image_size(self.image_path(image_id))))
        for fault in label_faults(labels, self.num_classes + 1).values():
            raise UserError(f"{path}: {fault}; make it again, or set the right classes")
        return labels

    def relabel(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map the values stored in a mask to 0 (background), 1..K and 255."""
        return mask

    def mask_source(self, image_id: str) -> Path | None:
        """The file that the mask of an id comes from, or None in a data set without masks."""
        return self.mask_path(image_id)

    def fingerprint(
        self, content: Callable[[Path], str], splits: Iterable[Split], tags: bool = True, masks: bool = False
    ) -> str:
        """A digest of class names and of photos: another one means other results.

        Args:
            content: of a file, as a digest.
            splits: of which photos.
            tags: whether the photos' tags count.
            masks: whether their masks count.
        """
        digest = hashlib.sha256(repr(self.class_names).encode())
        for split in splits:
            for image_id in self.ids(split):
                photo = content(self.image_path(image_id))
                own_tags = self.tags(image_id).tolist() if tags and split != "test" else ""
                source = self.mask_source(image_id) if masks else None
                mask = "" if source is None else content(source)
                digest.update(f"{split} {image_id} {photo} {own_tags} {mask}\n".encode())
        return digest.hexdigest()
