"""A few steps of a training on the device that is tried."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from torch.utils.data import DataLoader

from acr_lightning.nets.tensors_digest import tensors_sha256
from acr_lightning.training.step_seed import StepSeed


def train(
    module: LightningModule, batches: Sequence[Any], device: str, *callbacks: Callback, **options: Any
) -> Trainer:
    """Train on these batches, one epoch, by Lightning's own Trainer: in 16-mixed, which a CPU has not (32 bits)."""
    trainer = Trainer(
        accelerator=device, devices=1, precision="32-true" if device == "cpu" else "16-mixed", max_epochs=1,
        callbacks=[StepSeed(), *callbacks], use_distributed_sampler=False, logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, **options,
    )  # fmt: skip
    seed_everything(0, verbose=False)
    trainer.fit(module, DataLoader(batches, batch_size=None))  # type: ignore[arg-type]
    return trainer


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """Of weights."""
    return tensors_sha256({name: value.cpu().numpy() for name, value in state.items()})[:12]


class Clock(Callback):
    """Seconds of each step and, on a GPU, the most memory in use from the third step on, when all is warm."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            if len(self.seconds) == 2:
                torch.cuda.reset_peak_memory_stats()
        self.since = time.perf_counter()

    def on_train_batch_end(self, *_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.since)
