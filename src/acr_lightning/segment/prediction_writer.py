"""The files of stage `evaluate`'s predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import write_mask


class PredictionWriter(BasePredictionWriter):
    """Writes each label map as a palette PNG as soon as it is made.

    Args:
        folder: of the predictions.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(write_interval="batch")
        self.folder = folder

    def write_on_batch_end(  # noqa: D102
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: list[tuple[str, NDArray[np.uint8]]],
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        for image_id, labels in prediction:
            write_mask(item_path(self.folder, image_id, ".png"), labels)
