"""How long a training still takes, in the log and in its progress bar."""

import logging
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar
from rich.progress import TimeRemainingColumn

from acr_lightning.duration import duration

log = logging.getLogger(__name__)
# An epoch that takes so many times as long as the one that was told is of another phase.
LONGER = 1.5


class TimeLeft(Callback):
    """Says after the first epoch how long the others take; again after one that takes much longer than was told."""

    def __init__(self, name: str) -> None:
        self.name, self.told, self.left = name, 0.0, 0.0
        self.began: float | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        # An epoch that is resumed in its middle does not start again: between two starts lies a whole one.
        now, epochs = time.monotonic(), (trainer.max_epochs or 0) - trainer.current_epoch
        epoch = 0.0 if self.began is None else now - self.began
        self.began, self.left = now, max(epochs, 0) * epoch
        if trainer.is_global_zero and epochs > 0 and epoch > LONGER * self.told:
            self.told = epoch
            log.info("%s: about %s are left, at %s an epoch", self.name, duration(epochs * epoch), duration(epoch))


class StageBar(RichProgressBar):
    """Lightning's progress bar, which times an epoch, with what is left of the stage; it fits 80 columns."""

    def configure_columns(self, trainer: Trainer) -> list[Any]:  # noqa: D102
        description, bar, batches, *_ = super().configure_columns(trainer)
        bar.bar_width = 10
        return [description, bar, batches, TimeRemainingColumn(compact=True, elapsed_when_finished=True)]

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:  # noqa: D102
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # of a logger
        left = [one.left for one in trainer.callbacks if isinstance(one, TimeLeft) and one.left]  # type: ignore[attr-defined]
        return {**metrics, **({"left": duration(left[0])} if left else {})}
