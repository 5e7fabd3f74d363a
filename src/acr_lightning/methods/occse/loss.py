"""The photo without one class, and the tags that are left of it (OC-CSE, ICCV 2021)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5


@dataclass(frozen=True)
class Erasing:
    """How a class is erased, and how much what is left weighs; the defaults are the release's, but for `largest_of`.

    Args:
        start: weight of the erased photo's loss in the first epoch.
        growth: what each epoch adds to it.
        largest_of: a CAM is divided by the largest value of its own `photo`, or of the whole `batch` (the release)
            or micro-batch, where one photo's CAM says how much of another one is erased.
    """

    start: float = 0.3
    growth: float = 0.05
    largest_of: Literal["photo", "batch"] = "photo"

    def weight(self, epoch: int) -> float:
        """Of the erased photo's loss in an epoch counted from 0."""
        return self.start + self.growth * epoch


def erasing_mask(
    cam_logits: Tensor, target: Tensor, size: tuple[int, int], largest_of: Literal["photo", "batch"]
) -> Tensor:
    """How much of each pixel is erased: the CAM of one class, stretched to at most 1, with its gradient.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        target: the class of each photo, `[B]`.
        size: height and width of the photos.
        largest_of: see `Erasing`.

    Returns:
        `[B, 1, H, W]` in `[0, 1)`.
    """
    cam = cam_logits[torch.arange(len(target), device=target.device), target].unsqueeze(1).float()
    positive = F.relu(F.interpolate(cam, size, mode="bilinear", align_corners=False))
    largest = positive.amax(dim=(1, 2, 3), keepdim=True) if largest_of == "photo" else positive.amax()
    return positive / (largest + EPSILON)


def tags_without(tags: Tensor, target: Tensor) -> Tensor:
    """The tags `[B, K]` without the erased class of each photo, `[B]`; all 0 where it was the only one."""
    return tags.scatter(1, target[:, None], 0.0)
