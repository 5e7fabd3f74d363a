"""Inference of images that are larger than a network was trained for, window by window."""

from collections.abc import Callable

import torch
from torch import Tensor


def starts(length: int, window: int, overlap: float) -> list[int]:
    """Where windows begin on an axis: evenly spread, the last one ends with the axis.

    Args:
        length: of the axis, pixels.
        window: at most this long, pixels.
        overlap: smallest share of a window that it has in common with the next, 0..1.
    """
    if length <= window:
        return [0]
    stride = max(1, int(window * (1 - overlap)))
    count = -(-(length - window) // stride) + 1
    return [round(index * (length - window) / (count - 1)) for index in range(count)]


def sliding_window(net: Callable[[Tensor], Tensor], image: Tensor, window: int, overlap: float = 1 / 3) -> Tensor:
    """A network's maps of an image, the mean over overlapping windows; the plain pass where one window holds it all.

    Args:
        net: `[B, 3, h, w]` to maps `[B, C, h, w]` of the same size.
        image: `[B, 3, H, W]`.
        window: side of a window, pixels.
        overlap: of neighbouring windows.

    Returns:
        `[B, C, H, W]`.
    """
    height, width = image.shape[-2:]
    tops, lefts = starts(height, window, overlap), starts(width, window, overlap)
    if len(tops) == len(lefts) == 1:
        return net(image)
    total: Tensor | None = None
    counts = torch.zeros(1, 1, height, width, device=image.device)
    for top in tops:
        for left in lefts:
            at = (..., slice(top, top + window), slice(left, left + window))
            maps = net(image[at])
            if total is None:
                total = torch.zeros(*maps.shape[:2], height, width, dtype=maps.dtype, device=maps.device)
            total[at] += maps
            counts[at] += 1
    assert total is not None
    return total / counts
