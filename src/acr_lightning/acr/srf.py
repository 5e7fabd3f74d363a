"""Stochastic random feeding (SRF): only some cells of a segment are removed, so that remnants always exist."""

import torch
from torch import Tensor
from torch.nn import functional as F


def removal_probability(epoch: int, start: float = 0.2, growth: float = 0.01) -> float:
    """How likely a cell is removed: `(20 + epoch) %` by default, at most 1 (FACTS §1)."""
    return min(1.0, start + growth * epoch)


def removal_mask(batch: int, size: tuple[int, int], grid: int, probability: float, device: torch.device) -> Tensor:
    """`M`: a `grid × grid` Bernoulli draw per image, nearest-resized to the working size.

    Args:
        batch: B.
        size: height and width of the result.
        grid: cells a side (16 in the paper).
        probability: that a cell is removed.
        device: where the mask lives.

    Returns:
        `[B, 1, H, W]`, 1 where a cell is removed.
    """
    cells = torch.rand(batch, 1, grid, grid, device=device) < probability
    return F.interpolate(cells.float(), size, mode="nearest")
