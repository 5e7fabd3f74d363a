"""The files of an inference, one a photo."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.result_file import write_result
from acr_lightning.system.pool import WorkBeside


class ResultWriter(BasePredictionWriter):
    """Writes each photo's result as soon as it is made.

    Args:
        folder: of the files.
        suffix: of their names.
        write: writes one: it takes the path, then what follows the photo's id in a result: tensors as arrays, and for
            a part that is called to be made (a dense CRF's label map) what it returns.
        workers: processes that make such parts and write, which takes longer than a GPU's work on a photo; 0 does it
            here, null has one for each core of this process's share where it has a GPU.
        count: counts them in this process: `add` takes a photo's id and what is written, `leave` comes after the last.
    """

    def __init__(
        self, folder: Path, suffix: str, write: Callable[..., None], workers: int | None = None, count: Any = None
    ) -> None:
        super().__init__(write_interval="batch")
        self.folder, self.suffix, self.write, self.workers, self.count = folder, suffix, write, workers, count
        self.beside: WorkBeside | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        workers = self.workers
        if workers is None:
            cores = len(os.sched_getaffinity(0)) // trainer.num_devices
            workers = 0 if trainer.strategy.root_device.type == "cpu" else max(1, cores)
        self.beside = WorkBeside(workers) if workers else None

    def write_on_batch_end(  # noqa: D102
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Sequence[tuple[Any, ...]],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        for image_id, *content in prediction:
            parts = [part.cpu().numpy() if isinstance(part, Tensor) else part for part in content]
            if self.count is not None:
                self.count.add(image_id, *parts)
            work = partial(write_result, self.write, item_path(self.folder, image_id, self.suffix), parts)
            if self.beside is None:
                work()
            else:
                self.beside.hand_over(work)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: D102
        if self.beside is not None:
            self.beside.finish()
        if self.count is not None:
            self.count.leave()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: D102
        if self.beside is not None:
            self.beside.kill()
        if self.count is not None:
            self.count.leave()
