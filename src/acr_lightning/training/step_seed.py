"""Randomness that depends on the batch, not on how the run got there."""

import os
from collections.abc import Iterator

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

# As many as float32 has random numbers.
SEEDS = 2**24


class StepSeed(Callback):
    """Seeds torch (dropout) at every training batch from (seed, epoch, batch, rank).

    A run that is resumed at any batch then equals one that never stopped. The seed is `seed_everything`'s.
    """

    def on_train_batch_start(  # noqa: D102
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        torch.manual_seed(_seed(trainer.current_epoch, batch_idx, trainer.global_rank))


class StepDraws:
    """Uniform random numbers for the images of a batch, the same for any number of devices.

    Every process draws for the whole, global batch on the CPU and keeps the rows of its own images.

    Args:
        epoch: of the batch.
        batch_index: of the batch in its epoch.
        world: processes of the job.
        rank: this process.
    """

    def __init__(self, epoch: int, batch_index: int, world: int = 1, rank: int = 0) -> None:
        # Rank -1: a stream that all processes share, apart from each one's own.
        self.generator = torch.Generator().manual_seed(_seed(epoch, batch_index, -1))
        self.world, self.rank = world, rank

    def uniform(self, images: int, *shape: int) -> Tensor:
        """`[images, *shape]` in `[0, 1)`, for this process's images."""
        # `EpochSampler` gives the images of a global batch to the processes in turn.
        return torch.rand(images * self.world, *shape, generator=self.generator)[self.rank :: self.world]


def photo_generators(drawn: Tensor) -> Iterator[torch.Generator]:
    """A stream of random numbers for each photo, which follows from the number in `[0, 1)` drawn for it, `[B]`."""
    for number in (drawn * SEEDS).long().tolist():
        yield torch.Generator().manual_seed(number)


def _seed(epoch: int, batch_index: int, rank: int) -> int:
    seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
    return int(np.random.SeedSequence([seed, epoch, batch_index, rank + 1]).generate_state(1)[0])
