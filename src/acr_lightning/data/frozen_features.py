"""Whole photos, the same in each epoch, for networks whose backbone does not learn: what it makes of them is kept."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from acr_lightning.artefacts.kept_tensors import KeptTensors
from acr_lightning.classes.bounded import NonNegativeInt, PositiveFloat, PositiveInt
from acr_lightning.data.datamodule import TrainingBatches
from acr_lightning.data.samples import tag_vector, to_tensor
from acr_lightning.data.tagged import TaggedDataset


class FrozenFeatures(TrainingBatches):
    """Whole photos, squashed to a square, with tags, for stage `fit` of a classifier whose backbone is frozen.

    What the backbone makes of a photo, and of each other view that a method shows it again and again, is computed once
    and kept; runs with the same photos and the same backbone share it, whatever their seeds and methods. The only
    augmentation is the mirror image.

    Args:
        dataset: photos and tags.
        size: side of the square, pixels.
        num_workers: loader processes per device; changes speed only.
        cache: folder of what is kept.
        max_gb: the cache is at most so large, in 10^9 bytes; what it has no room for is computed each time.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        size: PositiveInt = 192,
        num_workers: NonNegativeInt = 0,
        cache: str = "runs/features",
        max_gb: PositiveFloat = 50.0,
        **batches: Any,
    ) -> None:
        super().__init__(dataset, num_workers=num_workers, **batches)
        self.size, self.store = size, KeptTensors(Path(cache), max_gb)

    def samples(self) -> "FrozenSamples":  # type: ignore[override]  # noqa: D102
        return FrozenSamples(self.dataset, self.size, self.store, self.seed)


class FrozenSamples(Dataset[dict[str, Any]]):
    """Squashed photos and their tags, asked for by `(epoch, index)`.

    Args:
        dataset: of photos and tags.
        size: side of the square, pixels.
        store: where squashed photos are kept.
        seed: of the mirror images.
    """

    def __init__(self, dataset: TaggedDataset, size: int, store: KeptTensors, seed: int) -> None:
        self.dataset, self.size, self.store, self.seed = dataset, size, store, seed
        self.ids = dataset.ids("train")
        self.tags = torch.stack([tag_vector(dataset, image_id) for image_id in self.ids])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: tuple[int, int]) -> dict[str, Any]:
        """`image [3, size, size]` in `[0, 1]`, `tags [K]` and `id`."""
        epoch, index = at
        mirror = np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0] % 2
        image = self.photo(index)
        return {"id": self.ids[index], "image": image.flip(-1) if mirror else image, "tags": self.tags[index]}

    def photo(self, index: int) -> Tensor:
        """A photo as it is seen, `[3, size, size]` in `[0, 1]`."""
        image_id = self.ids[index]
        (image,) = self.store.get(
            self.name(index), lambda: [torch.from_numpy(squashed(self.dataset.image(image_id), self.size))]
        )
        return to_tensor(image.numpy())

    def name(self, index: int) -> str:
        """What a squashed photo is kept under: a digest of its file and of what reads it."""
        image_id = self.ids[index]
        digest = hashlib.sha256(f"{type(self.dataset).__qualname__} {image_id} {self.size} ".encode())
        digest.update(self.dataset.image_path(image_id).read_bytes())
        return digest.hexdigest()


def squashed(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """`[H, W, 3]` to `[size, size, 3]`, whatever its proportions."""
    return np.array(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
