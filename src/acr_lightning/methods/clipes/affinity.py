"""CLIP-ES's class-aware affinity: a map is spread by the transformer's own attention, out of boxes around it."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# How often columns and rows are made to sum to 1 by turns.
ROUNDS = 3


def min_max(maps: Tensor) -> Tensor:
    """Each map `[P, h, w]` stretched to 0..1; one that is the same everywhere becomes 0."""
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    return maps / (maps.amax(dim=(1, 2), keepdim=True) + 1e-7)


def affinity(attention: Tensor) -> Tensor:
    """From who looks at whom, `[N, N]`, to how much of each cell comes to each other one in two steps."""
    for _ in range(ROUNDS):
        attention = attention / attention.sum(dim=0, keepdim=True)
        attention = attention / attention.sum(dim=1, keepdim=True)
    attention = (attention + attention.T) / 2
    return attention @ attention


def in_boxes(score: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """The boxes around what has more than a share of a map's largest value, as a mask; the map `[h, w]` is in 0..1.

    Values are in 255 steps, and the map's last row and column lie in no box: both are the release's.
    """
    levels, mask = (score * 255).astype(np.uint8), np.zeros(score.shape, bool)
    high = (levels > int(share * levels.max())).astype(np.uint8)
    for left, top, width, height, _ in cv2.connectedComponentsWithStats(high)[2][1:]:
        mask[top : top + height, left : left + width] = True
    mask[-1], mask[:, -1] = False, False
    return mask


def spread(maps: Tensor, attention: Tensor, share: float) -> Tensor:
    """Maps `[P, h, w]` in 0..1, spread from their boxes by the attention of the h·w cells `[N, N]`; not stretched."""
    boxes = np.stack([in_boxes(one, share) for one in maps.float().cpu().numpy()])
    shown = maps * torch.from_numpy(boxes).to(maps.device)
    return (shown.flatten(1) @ affinity(attention).T).view_as(maps)
