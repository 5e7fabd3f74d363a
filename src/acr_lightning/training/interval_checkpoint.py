"""Checkpoints in the middle of long epochs."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

# Asking all processes whether it is time costs them a meeting, so they are not asked at every batch.
ASK_EVERY = 20


class IntervalCheckpoint(Callback):
    """Saves the run every so many minutes; Lightning's ModelCheckpoint knows no interval in manual optimisation.

    Args:
        path: of the checkpoint, overwritten by renaming.
        minutes: between two.
    """

    def __init__(self, path: Path, minutes: float = 20) -> None:
        self.path, self.seconds = path, 60 * minutes
        self.saved = time.monotonic()

    def on_train_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if (batch_idx + 1) % ASK_EVERY:
            return
        if trainer.strategy.broadcast(time.monotonic() - self.saved >= self.seconds):
            trainer.save_checkpoint(self.path)
            self.saved = time.monotonic()
