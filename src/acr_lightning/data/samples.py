"""Torch data sets: what one sample of each stage is."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import albumentations as A
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError


def to_tensor(image: NDArray[np.uint8]) -> Tensor:
    """`[H, W, 3]` bytes to `[3, H, W]` in `[0, 1]` (each network normalises for itself)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


class TrainingSamples(Dataset[dict[str, Any]]):
    """Augmented photos with tags, and with pseudo-labels when `labels` is given.

    A sample is asked for by `(epoch, index)`: the augmentation's randomness depends on seed, epoch and index only.

    Args:
        dataset: where photos and tags come from.
        transform: albumentations; its own random state is overwritten at every sample.
        seed: of the augmentation.
        labels: folder of pseudo-labels `<id>.png`, or `masks` for the data set's true masks (an upper bound).
        leave_out: photos of which there is no sample.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        transform: A.Compose,
        seed: int,
        labels: Path | str | None = None,
        leave_out: Collection[str] = (),
    ) -> None:
        self.dataset, self.transform, self.seed, self.labels = dataset, transform, seed, labels
        self.ids = [image_id for image_id in dataset.ids("train") if image_id not in leave_out]
        if labels == "masks":
            dataset.make_masks(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: tuple[int, int]) -> dict[str, Any]:
        """`image [3, h, w]` in `[0, 1]`, `tags [K]` of 0 and 1, `id`, and `label [h, w]` when there are labels.

        Without labels there is `valid [h, w]`, which is False where the crop was padded.
        """
        epoch, index = at
        image_id = self.ids[index]
        image, tags = self.photo(epoch, index)
        arrays = {"image": image}
        size = arrays["image"].shape[:2]
        # The transform pads label maps with 255.
        arrays["mask"] = np.zeros(size, np.uint8) if self.labels is None else self._label(image_id, size)
        self.transform.set_random_seed(int(np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0]))
        arrays = self.transform(**arrays)
        sample = {"id": image_id, "image": to_tensor(arrays["image"]), "tags": tags}
        label = torch.from_numpy(arrays["mask"])
        return {**sample, "valid": label != IGNORE} if self.labels is None else {**sample, "label": label.long()}

    def photo(self, epoch: int, index: int) -> tuple[NDArray[np.uint8], Tensor]:
        """The photo before it is augmented, RGB, `[H, W, 3]`, and its tags, `[K]` of 0 and 1."""
        del epoch  # for those who change it
        return self.dataset.image(self.ids[index]), tag_vector(self.dataset, self.ids[index])

    def _label(self, image_id: str, size: tuple[int, ...]) -> NDArray[np.uint8]:
        if self.labels == "masks":
            mask = self.dataset.mask(image_id)
            if mask is None:
                raise UserError(f"{image_id}: no mask to train on; labels: masks needs a data set with masks")
            return mask
        return read_mask(item_path(str(self.labels), image_id, ".png"), self.dataset.num_classes + 1, size)


def photo_sample(
    dataset: TaggedDataset, image_id: str, with_tags: bool = True, more_tags: Sequence[int] = ()
) -> dict[str, Any]:
    """A whole photo: `image [3, H, W]` in `[0, 1]`, `id`, and `tags [K]` (0 without any) when they are asked for."""
    sample = {"id": image_id, "image": to_tensor(dataset.image(image_id))}
    return {**sample, "tags": tag_vector(dataset, image_id, more_tags)} if with_tags else sample


class PhotoGroups(Dataset[list[dict[str, Any]]]):
    """Whole photos for inference, those of a group together.

    Args:
        dataset: where photos and tags come from.
        groups: ids of photos that are read together.
        with_tags: whether to read tags.
        more_tags: classes of photos beside their tags, counted from 0.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        groups: list[list[str]],
        with_tags: bool = True,
        more_tags: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.dataset, self.groups, self.with_tags, self.more_tags = dataset, groups, with_tags, more_tags or {}

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int) -> list[dict[str, Any]]:
        """The samples of one group; see `photo_sample`."""
        return [
            photo_sample(self.dataset, image_id, self.with_tags, self.more_tags.get(image_id, ()))
            for image_id in self.groups[index]
        ]


def groups_of_one_size(sizes: Iterable[tuple[str, tuple[int, int]]], most: int) -> list[list[str]]:
    """Put photos of one size together.

    Args:
        sizes: id, and height and width, of each photo.
        most: photos in a group.

    Returns:
        Ids; every photo is in one group, full groups in the order in which they fill, the others after them.
    """
    groups: list[list[str]] = []
    open_groups: dict[tuple[int, int], list[str]] = {}
    for image_id, size in sizes:
        group = open_groups.setdefault(size, [])
        group.append(image_id)
        if len(group) == most:
            groups.append(open_groups.pop(size))
    return groups + list(open_groups.values())


def tag_vector(dataset: TaggedDataset, image_id: str, more_tags: Sequence[int] = ()) -> Tensor:
    """The tags of a photo, and more, as `[K]` of 0 and 1."""
    vector = torch.zeros(dataset.num_classes)
    vector[[*dataset.tags(image_id).tolist(), *more_tags]] = 1
    return vector
