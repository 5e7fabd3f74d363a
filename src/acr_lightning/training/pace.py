"""How fast a stage goes, from a few of its steps."""

import statistics
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.system.peak_memory import peak_megabytes

# A phase of a training may have steps of its own cost, so epochs of beginning, middle and end are timed.
EPOCHS = 3


class Pace(Callback):
    """Times steps and writes what they took.

    The file holds seconds: `step` of a training step or, in inference, of a photo; `epoch_end` between two epochs;
    `preparation` before the first step; `all` of them together. And `megabytes`, the most that was used, of a GPU if
    there is one.

    Training takes part in three epochs only, and jumps over those between. The first step of each is not timed: what it
    finds for the first time (memory, a kernel, a file) costs more.

    Args:
        output: the file.
    """

    def __init__(self, output: str) -> None:
        self.output = Path(output)
        self.steps, self.epoch_ends = list[float](), list[float]()
        self.photos = self.first = 0
        self.last = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: D102
        self.began = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        assert trainer.max_epochs is not None
        self.preparation = time.monotonic() - self.began
        self.left = sorted({int((at + 0.5) / EPOCHS * trainer.max_epochs) for at in range(EPOCHS)})
        self._jump(trainer, self.left.pop(0))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: D102
        if trainer.fit_loop.epoch_loop.batch_idx == 0 and self.last:
            self.epoch_ends.append(time.monotonic() - self.last)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:  # noqa: D102
        now = time.monotonic()
        if trainer.fit_loop.epoch_loop.batch_idx:
            self.steps.append(now - self.last)
        self.last = now

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        assert trainer.max_epochs is not None
        self._jump(trainer, self.left.pop(0) if self.left else trainer.max_epochs)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        self._write(statistics.mean(self.steps), statistics.mean(self.epoch_ends or [0.0]))

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        self.preparation = time.monotonic() - self.began

    def on_predict_batch_end(  # noqa: D102
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: list[Any], *_: Any
    ) -> None:
        now = time.monotonic()
        if self.photos:
            self.steps.append(now - self.last)
        else:
            self.first = len(batch)
        self.last, self.photos = now, self.photos + len(batch)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        self._write(sum(self.steps) / max(1, self.photos - self.first), 0.0)

    def _jump(self, trainer: Trainer, epoch: int) -> None:
        """Let the next epoch be this one."""
        progress: Any = trainer.fit_loop.epoch_progress.current
        counted = progress.processed - progress.completed  # an epoch that ends is completed a moment later
        progress.processed, progress.completed = epoch, epoch - counted

    def _write(self, step: float, epoch_end: float) -> None:
        found = {
            "step": step,
            "epoch_end": epoch_end,
            "preparation": self.preparation,
            "all": time.monotonic() - self.began,
            "megabytes": peak_megabytes(),
        }
        write_json(self.output, found)
