"""Ending inference on SIGTERM."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException


class StopOnSignal(Callback):
    """Ends `predict` after the batch in which SIGTERM came; Lightning itself looks for it in training alone."""

    def on_predict_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: D102
        if trainer.received_sigterm:
            raise SIGTERMException
