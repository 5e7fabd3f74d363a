"""The cells of a batch of photos, and the prototypes of its classes (PPC, CVPR 2022)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam


class Cells(NamedTuple):
    """All cells of a batch, seen at one size.

    Attributes:
        vectors: of length 1, with gradient, `[N, D]`.
        scores: of the background, which is what the classes leave, and of each class, `[N, K + 1]`.
        labels: the likeliest of both, against a constant background score, `[N]`.
    """

    vectors: Tensor
    scores: Tensor
    labels: Tensor


class Prototypes(NamedTuple):
    """What the classes of a batch look like, without gradient.

    Attributes:
        vectors: of length 1, `[K + 1, D]`, the background first.
        present: False where no photo shows the class, `[K + 1]`.
    """

    vectors: Tensor
    present: Tensor


def cells_of(projected: Tensor, spread: Tensor, tags: Tensor, grid: int, background: float) -> Cells:
    """The cells of `grid × grid` for each photo.

    Args:
        projected: vectors, `[B, D, h, w]`.
        spread: the spread CAM of the classes, `[B, K, H, W]`; no gradient reaches it.
        tags: `y`, `[B, K]` of 0 and 1.
        grid: cells along a side.
        background: its score, for the labels.
    """
    vectors, maps = (
        F.interpolate(one.float(), (grid, grid), mode="bilinear", align_corners=True)
        for one in (projected, spread.detach())
    )
    classes = _flat(normalise_cam(maps, tags))
    scores = torch.cat([1 - classes.amax(dim=1, keepdim=True), classes], dim=1)
    labels = F.pad(classes, (1, 0), value=background).argmax(dim=1)
    return Cells(F.normalize(_flat(vectors), dim=1), scores, labels)


def prototypes_of(cells: Cells, count: int) -> Prototypes:
    """Of each class the mean of the `count` cells of the batch that have most of it, by how much they have."""
    values, at = cells.scores.topk(count, dim=0)
    sums = (values[:, :, None] * cells.vectors.detach()[at]).sum(dim=0)
    return Prototypes(F.normalize(sums, dim=1), values.sum(dim=0) > 0)


def _flat(maps: Tensor) -> Tensor:
    """`[B, C, h, w]` to `[B·h·w, C]`."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
