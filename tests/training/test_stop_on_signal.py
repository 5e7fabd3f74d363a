import os
import signal

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.utils.data import DataLoader

from acr_lightning.training.stop_on_signal import StopOnSignal


class Killed(LightningModule):
    """SIGTERM comes in its second batch."""

    def __init__(self):
        super().__init__()
        self.done = []

    def predict_step(self, batch, batch_index):
        self.done.append(batch_index)
        if batch_index == 1:
            os.kill(os.getpid(), signal.SIGTERM)


def test_inference_ends_after_the_batch_in_which_sigterm_came():
    module = Killed()
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[StopOnSignal()],
    )  # fmt: skip
    with pytest.raises(SIGTERMException):
        trainer.predict(module, DataLoader(torch.ones(5, 1)))
    assert module.done == [0, 1]
