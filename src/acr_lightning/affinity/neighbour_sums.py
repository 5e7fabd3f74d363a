"""The weighted sum over each cell's neighbourhood, `s·W`: what a step of the random walk is made of.

Both classes take the weights of each cell's pairs with the cells of the half disc, `[B, D, h, w]`, 0 beyond the border;
a cell counts itself with weight 1. Rows may be laid end to end, since a pair that would wrap around has weight 0.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.affinity.neighbourhood import half_disc, offsets


class ShiftedSums:
    """An offset at a time, as a multiply-add of shifted rows: the fastest on a CPU; `D` numbers a cell.

    Args:
        weights: `[B, D, h, w]`.
        radius: of the half disc, in cells.
    """

    def __init__(self, weights: Tensor, radius: int) -> None:
        height, width = weights.shape[-2:]
        disc = half_disc(radius)
        # In a grid narrower than the disc some offsets lead nowhere, and their shift could be 0 or negative.
        numbers = [number for number, (dy, dx) in enumerate(disc) if dy < height and abs(dx) < width]
        self.shifts = [disc[number][0] * width + disc[number][1] for number in numbers]
        # [offset, B, 1, N]: a step reads one offset's weights after the other.
        self.weights = weights[:, numbers].flatten(2).transpose(0, 1).unsqueeze(2).contiguous()

    def __call__(self, scores: Tensor) -> Tensor:
        """`[B, P, N]` to `[B, P, N]`."""
        total = scores.clone()
        for weight, shift in zip(self.weights, self.shifts, strict=True):
            pairs = weight[..., :-shift]
            total[..., shift:].addcmul_(pairs, scores[..., :-shift])
            total[..., :-shift].addcmul_(pairs, scores[..., shift:])
        return total


class GatheredSums:
    """Each cell gathers its neighbours, all in one kernel: a GPU takes longer to begin one than to run it.

    A cell has `2·D + 1` weights and as many indices of 4 bytes. Its sum has always the same order.

    Args:
        weights: `[B, D, h, w]`.
        radius: of the half disc, in cells.
    """

    def __init__(self, weights: Tensor, radius: int) -> None:
        batch, count, _, width = weights.shape
        flat, device = weights.flatten(2), weights.device
        down, right = offsets(radius, device)
        shifts, cells = (down * width + right)[:, None], torch.arange(flat.shape[2], device=device)
        # Beyond the border stands any cell, with weight 0.
        after, before = (cells + shifts) % len(cells), (cells - shifts) % len(cells)
        both_ways = [torch.ones_like(flat[:, :1]), flat, flat.gather(2, before.expand(batch, -1, -1))]
        self.weights = torch.cat(both_ways, dim=1).transpose(1, 2).flatten()
        photos = torch.arange(batch, device=device)[:, None, None] * len(cells)
        self.cells = (torch.cat([cells[None], after, before]).T + photos).flatten().int()
        self.starts = torch.arange(0, len(self.cells), 2 * count + 1, dtype=torch.int, device=device)

    def __call__(self, scores: Tensor) -> Tensor:
        """`[B, P, N]` to `[B, P, N]`."""
        rows = scores.transpose(1, 2).flatten(0, 1)
        sums = F.embedding_bag(self.cells, rows, self.starts, mode="sum", per_sample_weights=self.weights)
        return sums.unflatten(0, (len(scores), -1)).transpose(1, 2)
