"""Crops of photos that have none of a photo's tags (RIB, NeurIPS 2021)."""

import os
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from acr_lightning.data.samples import TrainingSamples, tag_vector
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data.transforms import classification_transform


class OtherPhotos:
    """The training photos, by their tags.

    Args:
        dataset: photos and tags.
        crop: side of the crops, pixels.
        long_side: smallest and largest long side that photos are resized to before cropping, pixels.
    """

    def __init__(self, dataset: TaggedDataset, crop: int, long_side: tuple[int, int]) -> None:
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        self.samples = TrainingSamples(dataset, classification_transform(crop, long_side), self.seed)
        self.tags = torch.stack([tag_vector(dataset, image_id) for image_id in self.samples.ids])

    def than(self, image_id: str, tags: Tensor, count: int) -> Iterator[list[dict[str, Any]]]:
        """New crops for each step; whichever process asks for a photo's gets the same.

        Args:
            image_id: of the photo.
            tags: its tags, `[K]`.
            count: of crops a step.

        Yields:
            Samples with `image` and `tags`, fewer than `count` where there are no more such photos.
        """
        generator = np.random.default_rng([self.seed, zlib.crc32(image_id.encode())])
        apart = (self.tags @ tags == 0) & (self.tags.sum(dim=1) > 0)
        indices = apart.nonzero().flatten().numpy()
        while True:
            numbers = generator.choice(indices, min(count, len(indices)), replace=False)
            # The number in the place of the epoch makes each crop another one.
            yield [self.samples[int(generator.integers(2**31)), int(index)] for index in numbers]
