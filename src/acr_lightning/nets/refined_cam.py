"""The pixel correlation module: a CAM spread between cells that look alike (SEAM, CVPR 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.nets.wrapped_classifier import WrappedClassifier

EPSILON = 1e-5
# Cells whose likeness to all others is in memory at a time.
COLUMNS = 1024


class RefinedCam(WrappedClassifier):
    """A classifier whose CAM is spread by how alike its cells are, in its two middle maps and in colour.

    Args:
        classifier: with at least three maps.
        widths: channels made of the earlier and of the later map.
        mixed: channels in which cells are compared.
    """

    def __init__(self, classifier: Classifier, widths: Sequence[int] = (64, 128), mixed: int = 192) -> None:
        super().__init__(classifier)
        early, middle = list(classifier.channels)[-3:-1]
        self.early = nn.Conv2d(early, widths[0], 1, bias=False)
        self.middle = nn.Conv2d(middle, widths[1], 1, bias=False)
        self.mix = nn.Conv2d(3 + sum(widths), mixed, 1, bias=False)
        for layer in (self.early, self.middle):
            nn.init.kaiming_normal_(layer.weight)
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def cam(self, image: Any) -> Tensor:
        """The spread CAM of the classes, `[B, K, h, w]`, not negative."""
        return self.refined(image, self(self.recurring(image)))[:, 1:]

    def refined(self, image: Tensor, output: ClassifierOutput) -> Tensor:
        """The spread CAM, `[B, K + 1, h, w]`, the background first; no gradient reaches the classifier.

        Args:
            image: normalised, `[B, 3, H, W]`.
            output: what the classifier makes of it.
        """
        return spread(exclusive_cam(output.cam_logits), self.mix(self.known(image, output)))

    def both_cams(self, image: Tensor, output: ClassifierOutput) -> tuple[Tensor, Tensor]:
        """The CAM logits and the spread CAM, as large as the image: `[B, K, H, W]` and `[B, K + 1, H, W]`."""
        size = image.shape[-2:]
        cams = output.cam_logits, self.refined(image, output)
        cam, refined = (F.interpolate(maps.float(), size, mode="bilinear", align_corners=True) for maps in cams)
        return cam, refined

    def known(self, image: Tensor, output: ClassifierOutput) -> Tensor:
        """The features of each cell: colour, and what is made of two maps, `[B, 3 + Σ widths, h, w]`."""
        size = output.cam_logits.shape[-2:]
        early, middle = (_resized(one.detach(), size) for one in output.features[-3:-1])
        colour = F.interpolate(image, size, mode="bilinear", align_corners=True)
        return torch.cat([colour, F.relu(self.early(early)), F.relu(self.middle(middle))], dim=1)


def exclusive_cam(cam_logits: Tensor) -> Tensor:
    """What is spread: each cell's likeliest class and, before the classes, the background; without gradient.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.

    Returns:
        `[B, K + 1, h, w]` in `[0, 1]`.
    """
    positive = F.relu(cam_logits.detach().float())
    return exclusive(F.relu(positive - EPSILON) / (positive.amax(dim=(2, 3), keepdim=True) + EPSILON))


def exclusive(scores: Tensor) -> Tensor:
    """Of `[B, K, h, w]` each cell's likeliest class and, before the classes, what it leaves: `[B, K + 1, h, w]`."""
    largest = scores.amax(dim=1, keepdim=True)
    return torch.cat([1 - largest, scores * (scores == largest)], dim=1)


def spread(cam: Tensor, mixed: Tensor) -> Tensor:
    """`c·M`, where `M = ReLU(fᵀf)` with columns of sum 1 and `f` are the cells' vectors of length 1.

    `M` has a column for each cell; only a block of columns is ever in memory, in training, too.

    Args:
        cam: `c`, `[B, C, h, w]`.
        mixed: the cells' vectors, `[B, D, h, w]`.

    Returns:
        `[B, C, h, w]`.
    """
    vectors = mixed.float().flatten(2)
    vectors = vectors / (vectors.norm(dim=1, keepdim=True) + EPSILON)
    flat = cam.flatten(2)
    with torch.autocast(cam.device.type, enabled=False):  # or the products would be in half precision
        columns = [
            checkpoint(_columns, flat, vectors, block, use_reentrant=False) for block in vectors.split(COLUMNS, 2)
        ]
    return torch.cat(columns, dim=2).view_as(cam)


def _columns(cam: Tensor, vectors: Tensor, block: Tensor) -> Tensor:
    alike = F.relu(vectors.transpose(1, 2) @ block)
    return cam @ (alike / (alike.sum(dim=1, keepdim=True) + EPSILON))


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    """To the CAM's grid, where the map has another one; those of ResNet38d have the same."""
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size, mode="bilinear", align_corners=False)
