"""Batches of kept maps instead of photos, for networks whose backbone does not learn."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from acr_lightning.classes.bounded import NonNegativeInt, PositiveInt
from acr_lightning.data.datamodule import TrainingBatches
from acr_lightning.data.feature_cache import FeatureCache, FeatureSource, cache_folder, make_cache
from acr_lightning.data.samples import tag_vector, to_tensor
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError

log = logging.getLogger(__name__)


class FrozenFeatures(TrainingBatches):
    """Whole photos, squashed to a square, with tags and the maps that a frozen backbone makes of them, for stage `fit`.

    The maps are computed once, by the classifier that is trained on them, and kept; runs with the same photos and the
    same backbone share them, whatever their seeds and methods. The only augmentation is the mirror image.

    Args:
        dataset: photos and tags.
        size: side of the square, pixels.
        num_workers: loader processes per device; changes speed only.
        cache: folder of the kept maps; each set lies in a folder of its own.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        size: PositiveInt = 192,
        num_workers: NonNegativeInt = 0,
        cache: str = "runs/features",
        **batches: Any,
    ) -> None:
        super().__init__(dataset, num_workers=num_workers, **batches)
        self.size, self.cache = size, Path(cache)
        self.kept: FeatureCache | None = None

    def prepare(self, source: FeatureSource, device: torch.device, make: bool) -> FeatureCache | None:
        """Open the cache, after making it if it is not there.

        Args:
            source: the network whose maps are wanted.
            device: where it computes them.
            make: whether this process is the one that makes it; the others wait before they call.

        Returns:
            The cache; None if it is not whole and another process is to make it.
        """
        ids = self.dataset.ids("train")
        folder = cache_folder(self.cache, self.dataset, ids, self.size, source.source())
        try:
            self.kept = FeatureCache(folder)
        except UserError:
            if not make:
                return None
            if folder.exists():
                log.warning("%s: damaged cache of features, made again", folder)
                shutil.rmtree(folder)
            make_cache(folder, self.dataset, ids, self.size, source, device)
            self.kept = FeatureCache(folder)
        return self.kept

    def samples(self) -> "FrozenSamples":  # type: ignore[override]  # noqa: D102
        if self.kept is None:
            raise UserError("data: FrozenFeatures needs a classifier with a frozen backbone: FrozenClassifier")
        return FrozenSamples(self.dataset, self.kept, self.seed)


class FrozenSamples(Dataset[dict[str, Any]]):
    """Kept maps with the photos and tags that they belong to, asked for by `(epoch, index)`.

    Args:
        dataset: of the tags.
        kept: maps and photos.
        seed: of the mirror images.
    """

    def __init__(self, dataset: TaggedDataset, kept: FeatureCache, seed: int) -> None:
        self.kept, self.seed = kept, seed
        self.ids = dataset.ids("train")
        self.tags = torch.stack([tag_vector(dataset, image_id) for image_id in self.ids])

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, at: tuple[int, int]) -> dict[str, Any]:
        """`image [3, size, size]` in `[0, 1]`, `tags [K]`, `id`, and `maps`, a list of `[C, h, w]`."""
        epoch, index = at
        mirror = int(np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0] % 2)
        image = self.kept.images[index]
        return {
            "id": self.ids[index],
            "image": to_tensor(image[:, ::-1] if mirror else image),
            "tags": self.tags[index],
            # NumPy converts half precision many times as slowly as torch does.
            "maps": [torch.from_numpy(np.array(one[index, mirror])).float().permute(2, 0, 1) for one in self.kept.maps],
        }
