"""From a photo to its label map: the one path of a run's own test, of `acr predict` and of the Python API."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.multiscale import multiscale_sum
from acr_lightning.classes.bounded import Scale, Side, require
from acr_lightning.errors import UserError
from acr_lightning.labels.refiner import RefinerNode, build_refiner, refined_labels
from acr_lightning.nets import checkpoint as checkpoints
from acr_lightning.nets.deeplab import DeepLab
from acr_lightning.nets.sizes import scaled_size
from acr_lightning.segment.sliding_window import sliding_window

# Long side at which the scores of larger photos are kept, unless they are read in windows: beyond it a network that
# learned from photos of a few hundred pixels sees nothing more, and K + 1 maps must fit into memory.
LARGEST = 1024
# What is left to do on a CPU, in any process.
Refinement = Callable[[], NDArray[np.uint8]]


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
        long_side: resize photos to this long side first (the base size); null keeps their size, up to 1024 pixels if
            there is no window.
        refiner: what sharpens the scores: a dense CRF by name (`test_deeplabv1`, `test_deeplabv2`), `none`, or
            `class_path` and `init_args` (see `acr label --help`).
        window: scaled photos larger than this are read in overlapping windows of this side, pixels; null reads them
            whole.

    Raises:
        UserError: there is no scale, or a number is out of bounds; the checkpoint or the refiner cannot be used.
    """

    def __init__(
        self,
        checkpoint: str,
        scales: Sequence[Scale] = (0.5, 0.75, 1.0, 1.25, 1.5),
        flip: bool = True,
        long_side: Side | None = None,
        refiner: RefinerNode = "none",
        window: Side | None = None,
    ) -> None:
        super().__init__()
        _require_fitting(scales, long_side, window)
        self.network = load_network(checkpoint)
        self.scales, self.flip, self.long_side, self.window = tuple(scales), flip, long_side, window
        self.refiner = build_refiner(refiner, "model.refiner")

    def predict_step(
        self, samples: list[dict[str, Any]], batch_index: int
    ) -> list[tuple[str, NDArray[np.uint8] | Refinement]]:
        """Photos of one size: of each its id and its label map `[H, W]` (0 background, 1..K), or what makes it."""
        probabilities = self.probabilities(torch.stack([sample["image"] for sample in samples]))
        return [
            (sample["id"], self._labels_or_work(sample["image"], one))
            for sample, one in zip(samples, probabilities, strict=True)
        ]

    def probabilities(self, images: Tensor) -> Tensor:
        """Photos `[B, 3, H, W]` in `[0, 1]` to label probabilities `[B, K + 1, h, w]`, without the refiner.

        `h × w` is the photo's size, or that of a smaller one (`LARGEST`).
        """
        size = self._size(*images.shape[-2:])
        pixels = self.network.backbone.normalise(images)
        long_side = self.long_side or max(size)
        multiple = self.network.backbone.multiple
        total = multiscale_sum(self._one_view, pixels, self.scales, self.flip, long_side, size=size, multiple=multiple)
        return total / total.sum(dim=1, keepdim=True)

    def labels(self, image: Tensor, probabilities: Tensor) -> NDArray[np.uint8]:
        """The label map `[H, W]` of a photo `[3, H, W]` in `[0, 1]` from its probabilities `[K + 1, h, w]`."""
        result = self._labels_or_work(image, probabilities)
        return result() if callable(result) else result

    def _labels_or_work(self, image: Tensor, probabilities: Tensor) -> NDArray[np.uint8] | Refinement:
        height, width = image.shape[-2:]
        if self.refiner is None:
            return enlarged_labels(probabilities, (height, width)).cpu().numpy()
        # Labels that no pixel finds likely only make a refiner slow; where many are equally unlikely, the first stays.
        is_likely = (probabilities > 0.05) | (probabilities == probabilities.amax(dim=0))
        likely = is_likely.flatten(1).any(dim=1).nonzero().flatten()
        scores = F.interpolate(
            probabilities[likely][None].float(), (height, width), mode="bilinear", align_corners=False
        )[0]
        photo = (image * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        shares, labels = (scores / scores.sum(dim=0)).cpu().numpy(), likely.byte().cpu().numpy()
        return partial(refined_labels, self.refiner, photo, shares, labels)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """The size at which a photo's scores are kept."""
        factor = min(1.0, LARGEST / max(height, width)) if self.window is None else 1.0
        return scaled_size((height, width), factor)

    def _one_view(self, views: Tensor) -> Tensor:
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


def _require_fitting(scales: Sequence[float], long_side: int | None, window: int | None) -> None:
    if not isinstance(scales, Sequence) or isinstance(scales, str) or not scales:
        raise UserError("scales: is empty or no list; give factors of the photo's size, such as [1.0]")
    for scale in scales:
        require("scales", scale, Scale)
    for name, side in (("long_side", long_side), ("window", window)):
        if side is not None:
            require(name, side, Side)


def enlarged_labels(probabilities: Tensor, size: tuple[int, int]) -> Tensor:
    """The likeliest label at another size, label by label: a large picture's probabilities would not fit in memory.

    Args:
        probabilities: `[K + 1, h, w]`.
        size: height and width of the result.

    Returns:
        `[H, W]`, uint8.
    """
    best: Tensor | None = None
    labels = torch.zeros(size, dtype=torch.uint8, device=probabilities.device)
    for label, values in enumerate(probabilities):
        large = F.interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0]
        if best is None:
            best = large
            continue
        wins = large > best
        labels[wins] = label
        best = torch.where(wins, large, best)
    return labels
