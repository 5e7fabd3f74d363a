"""Stage `evaluate`: the trained network's label map of each photo, on any number of devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import write_mask
from acr_lightning.cam.multiscale import multiscale_sum
from acr_lightning.labels.crf import PRESETS, CrfName, dense_crf
from acr_lightning.nets import checkpoint as checkpoints
from acr_lightning.nets.deeplab import DeepLab
from acr_lightning.segment.sliding_window import sliding_window


def load_network(path: str | Path) -> DeepLab:
    """The trained network of a `Segmenter` checkpoint, in eval mode.

    Raises:
        UserError: the file is missing, damaged, or no such checkpoint.
    """
    return checkpoints.load_network(path, DeepLab, made_by="acr segment")


class NetworkInference(LightningModule):
    """The network's label map of each photo, from all scales and mirror images.

    Args:
        checkpoint: of stage `segment`.
        scales: factors of the base size.
        flip: whether mirror images are added.
        long_side: resize photos to this long side first (the base size); null keeps their size.
        crf: dense CRF at test time, by name; `none` goes without.
        window: scaled photos larger than this are read in overlapping windows of this side, pixels; null reads them
            whole.
    """

    def __init__(
        self,
        checkpoint: str,
        scales: Sequence[float] = (0.5, 0.75, 1.0, 1.25, 1.5),
        flip: bool = True,
        long_side: int | None = None,
        crf: CrfName = "none",
        window: int | None = None,
    ) -> None:
        super().__init__()
        self.network = load_network(checkpoint)
        self.scales, self.flip, self.long_side, self.crf, self.window = tuple(scales), flip, long_side, crf, window

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, NDArray[np.uint8]]]:
        """Photos of one size: of each its id and its label map `[H, W]` (0 background, 1..K)."""
        images = self.network.backbone.normalise(torch.stack([sample["image"] for sample in samples]))
        totals = multiscale_sum(self.probabilities, images, self.scales, self.flip, self.long_side)
        return [(sample["id"], self.labels(sample["image"], one)) for sample, one in zip(samples, totals, strict=True)]

    def labels(self, image: Tensor, total: Tensor) -> NDArray[np.uint8]:
        """The label map `[H, W]` of a photo `[3, H, W]` in `[0, 1]` from its scores `[K + 1, H, W]`."""
        if self.crf == "none":
            return total.argmax(dim=0).byte().cpu().numpy()
        probabilities = (total / total.sum(dim=0)).float().cpu().numpy()
        # Labels that no pixel finds likely only make the CRF slow (FACTS §4).
        likely = np.flatnonzero((probabilities > 0.05).any(axis=(1, 2)))
        photo = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        refined = dense_crf(photo, probabilities[likely], PRESETS[self.crf])
        return likely.astype(np.uint8)[refined.argmax(axis=0)]

    def probabilities(self, views: Tensor) -> Tensor:
        """Normalised images `[B, 3, h, w]` to label probabilities, `[B, K + 1, h, w]`, or at the network's stride."""
        if self.window is None or max(views.shape[-2:]) <= self.window:
            return self.network(views).softmax(dim=1)
        return sliding_window(
            lambda part: F.interpolate(
                self.network(part), part.shape[-2:], mode="bilinear", align_corners=False
            ).softmax(dim=1),
            views,
            self.window,
        )


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
