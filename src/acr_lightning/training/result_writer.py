"""The files of an inference, one a photo."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import Tensor

from acr_lightning.artefacts.item_path import item_path


class ResultWriter(BasePredictionWriter):
    """Writes each photo's result as soon as it is made.

    Args:
        folder: of the files.
        suffix: of their names.
        write: writes one: it takes the path, then what follows the photo's id in a result, tensors as arrays.
    """

    def __init__(self, folder: Path, suffix: str, write: Callable[..., None]) -> None:
        super().__init__(write_interval="batch")
        self.folder, self.suffix, self.write = folder, suffix, write

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
            arrays = [part.cpu().numpy() if isinstance(part, Tensor) else part for part in content]
            self.write(item_path(self.folder, image_id, self.suffix), *arrays)
