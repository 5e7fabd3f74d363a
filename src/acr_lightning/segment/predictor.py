"""The trained network for any picture: the Python side of `acr predict`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.artefacts.manifest import read as read_manifest
from acr_lightning.cam.multiscale import multiscale_sum
from acr_lightning.data.images import read_image
from acr_lightning.data.samples import to_tensor
from acr_lightning.nets.checkpoint import read_checkpoint
from acr_lightning.segment.inference import load_network


class Prediction(NamedTuple):
    """What the network says about a picture.

    Attributes:
        labels: `[H, W]`, 0 background, 1..K.
        probabilities: `[K + 1, h, w]` in `[0, 1]`, at the size that the network worked on.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


class Predictor:
    """A run's network with its preprocessing; call it with a picture to get its label map.

    Args:
        run: folder of a run whose stage `segment` is done.
        device: where it computes.
        scales: factors of the base size; more are slower and better.
        flip: whether mirror images are added.
        long_side: pictures are resized to this long side first, pixels; None takes what the run was tested with, and
            1024 for larger pictures of a run that was tested at full size.

    Attributes:
        label_names: of the labels 0..K, `background` first.

    Raises:
        UserError: there is no trained network in the folder.
    """

    def __init__(
        self,
        run: str | Path,
        device: str = "cpu",
        scales: Sequence[float] = (1.0,),
        flip: bool = True,
        long_side: int | None = None,
    ) -> None:
        checkpoint = Path(run) / "segment" / "last.ckpt"
        self.network = load_network(checkpoint).to(device)
        names = read_checkpoint(checkpoint, made_by="acr segment")["class_names"]
        self.label_names: tuple[str, ...] = ("background", *names)
        self.device, self.scales, self.flip = device, tuple(scales), flip
        self.long_side = long_side or _tested_long_side(Path(run))

    def __call__(self, image: str | Path | Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The label map of a picture; see `predict`."""
        return self.predict(image).labels

    @torch.inference_mode()
    def predict(self, image: str | Path | Image.Image | NDArray[np.uint8]) -> Prediction:
        """Label map and probabilities of one picture.

        Args:
            image: a path, a PIL image, or RGB bytes `[H, W, 3]`.

        Raises:
            UserError: a path that is missing, damaged or no picture.
        """
        pixels = _pixels(image)
        height, width = pixels.shape[:2]
        working = self._working_size(height, width)
        tensor = self.network.backbone.normalise(to_tensor(pixels)[None].to(self.device))
        small = F.interpolate(tensor, working, mode="bilinear", align_corners=False, antialias=True)
        total = multiscale_sum(lambda views: self.network(views).softmax(dim=1), small, self.scales, self.flip)[0]
        probabilities = total / total.sum(dim=0)
        return Prediction(
            enlarged_labels(probabilities, (height, width)).cpu().numpy(), probabilities.float().cpu().numpy()
        )

    def _working_size(self, height: int, width: int) -> tuple[int, int]:
        if self.long_side is None and max(height, width) <= 1024:
            return height, width
        factor = (self.long_side or 1024) / max(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))


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
        enlarged = F.interpolate(values[None, None], size, mode="bilinear", align_corners=False)[0, 0]
        if best is None:
            best = enlarged
            continue
        wins = enlarged > best
        labels[wins] = label
        best = torch.where(wins, enlarged, best)
    return labels


def _pixels(image: str | Path | Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(image, str | Path):
        return read_image(image)
    return np.array(image.convert("RGB")) if isinstance(image, Image.Image) else image


def _tested_long_side(run: Path) -> int | None:
    made: dict[str, Any] = read_manifest(run / "evaluate") or {}
    found: int | None = made.get("config", {}).get("model", {}).get("init_args", {}).get("long_side")
    return found
