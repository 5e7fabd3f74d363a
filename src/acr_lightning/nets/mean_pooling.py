"""Means of a map's cells on a coarser grid of any size."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def mean_pooled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """`adaptive_avg_pool2d` by matrices, since the gradient of torch's own is not deterministic on a GPU.

    Args:
        maps: `[B, C, h, w]`.
        size: height and width of the result.

    Returns:
        `[B, C, *size]`.
    """
    rows, columns = (
        F.adaptive_avg_pool1d(torch.eye(before, dtype=maps.dtype, device=maps.device)[None], after)[0]
        for before, after in zip(maps.shape[-2:], size, strict=True)
    )
    return rows.mT @ maps @ columns
