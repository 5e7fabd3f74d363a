"""Stochastic random feeding (SRF): only some cells of a segment are removed, so that remnants always exist."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class SRF:
    """Stochastic random feeding; the defaults are the paper's.

    Args:
        grid: cells a side.
        start: share of the cells that are removed in the first epoch.
        growth: what is added to it each epoch.
    """

    grid: int = 16
    start: float = 0.2
    growth: float = 0.01

    def probability(self, epoch: int) -> float:
        """How likely a cell is removed: `(20 + epoch) %` by default, at most 1."""
        return min(1.0, self.start + self.growth * epoch)


def removal_mask(uniform: Tensor, probability: float, size: tuple[int, int]) -> Tensor:
    """`M`: a `g × g` Bernoulli draw per image, nearest-resized to the working size.

    Args:
        uniform: random numbers in `[0, 1)`, `[B, 1, g, g]`; g is 16 in the paper.
        probability: that a cell is removed.
        size: height and width of the result.

    Returns:
        `[B, 1, H, W]`, 1 where a cell is removed.
    """
    return F.interpolate((uniform < probability).float(), size, mode="nearest")
