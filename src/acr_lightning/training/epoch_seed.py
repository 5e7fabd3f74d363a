"""Randomness that a resumed run repeats."""

import os

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class EpochSeed(Callback):
    """Seeds torch at the start of every training epoch from (seed, epoch, rank).

    Dropout, SRF's cells and the drawn targets then depend on the epoch and not on how the run got there, so a run
    that is resumed at an epoch's start equals one that never stopped. The seed is `seed_everything`'s.
    """

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        seed = int(os.environ.get("PL_GLOBAL_SEED", "0"))
        state = np.random.SeedSequence([seed, trainer.current_epoch, trainer.global_rank]).generate_state(1)
        torch.manual_seed(int(state[0]))
