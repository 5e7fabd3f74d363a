"""The neighbours of a cell of a feature map: which they are, and the straight way to each."""

from collections import defaultdict
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F


@lru_cache
def half_disc(radius: int) -> tuple[tuple[int, int], ...]:
    """The offsets `(dy, dx)` closer than `radius`, one of each pair `±(dy, dx)`, without `(0, 0)` (PSA).

    Affinity is symmetric, so half of the disc says everything: 34 offsets at radius 5, as published.

    Args:
        radius: in cells, at least 2 (closer than 1 there is no neighbour).
    """
    reach = range(-radius + 1, radius)
    disc = [(dy, dx) for dy in range(radius) for dx in reach if dy * dy + dx * dx < radius * radius]
    return tuple((dy, dx) for dy, dx in disc if dy > 0 or dx > 0)


def surroundings(maps: Tensor, radius: int, fill: float) -> Tensor:
    """Every map, shifted by all offsets of the half square that holds the half disc; no cell is copied.

    Args:
        maps: `[B, h, w]`.
        radius: in cells.
        fill: value beyond the border.

    Returns:
        `[B, radius, 2·radius − 1, h, w]`: at `[b, dy, dx + radius − 1, y, x]` stands `maps[b, y + dy, x + dx]`.
    """
    height, width = maps.shape[-2:]
    reach = radius - 1
    return F.pad(maps, (reach, reach, 0, reach), value=fill).unfold(1, height, 1).unfold(2, width, 1)


def neighbours(maps: Tensor, radius: int, fill: float) -> Tensor:
    """Every map, shifted by the offsets of the half disc.

    Args:
        maps: `[B, h, w]`.
        radius: in cells.
        fill: value beyond the border.

    Returns:
        `[B, D, h, w]`: at `[b, d, y, x]` stands `maps[b, y + dy, x + dx]` with `(dy, dx) = half_disc(radius)[d]`.
    """
    down, right = _offsets(radius, maps.device)
    return surroundings(maps, radius, fill)[:, down, right + radius - 1]


@lru_cache
def _offsets(radius: int, device: torch.device) -> Tensor:
    """`half_disc` as two rows, `[2, D]`; kept, since a copy to a GPU is slower than what it is for."""
    with torch.inference_mode(False):  # a training may come after an inference
        return torch.tensor(half_disc(radius), device=device).T


def straight_path(offset: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells that a straight line from `(0, 0)` to `offset` passes, both ends included (IRN).

    They lie in the rectangle between the two, less than one cell away from the line.

    Args:
        offset: `(dy, dx)` with `dy >= 0`, not `(0, 0)`.
    """
    dy, dx = offset
    columns = range(min(0, dx), max(0, dx) + 1)
    return [(y, x) for y in range(dy + 1) for x in columns if (dy * x - dx * y) ** 2 < dy * dy + dx * dx]


@lru_cache
def paths(radius: int, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """The straight paths to the half disc, as indices into the flattened half square of `surroundings`.

    Returns:
        The paths, those of one length together (`[count, length]` each), and for each offset of `half_disc` its place
        in that order, `[D]`.
    """
    by_length: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    for number, offset in enumerate(half_disc(radius)):
        path = [y * (2 * radius - 1) + x + radius - 1 for y, x in straight_path(offset)]
        by_length[len(path)].append((number, path))
    with torch.inference_mode(False):  # they are kept, and a training may come after an inference
        order = torch.tensor([number for group in by_length.values() for number, _ in group], device=device)
        groups = [torch.tensor([path for _, path in group], device=device) for group in by_length.values()]
        return groups, order.argsort()
