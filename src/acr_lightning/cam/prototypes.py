"""From a CAM to seeds, from seeds to a photo's own prototypes, from prototypes to maps (SIPE, CVPR 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-5
# How much a cell's likeness to the background counts; and cells whose likeness to all others is in memory at a time.
BACKGROUND, COLUMNS = 0.5, 1024


def with_background(cam_logits: Tensor, mask: Tensor) -> Tensor:
    """The CAM stretched to at most 1 and, before the classes, what it leaves of each cell.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        mask: what can be there: 1 for the background and for tags, 0 elsewhere and where a crop is padded,
            `[B, K + 1, h or 1, w or 1]`.

    Returns:
        `N`, `[B, K + 1, h, w]` in `[0, 1]`.
    """
    scores = stretched(F.relu(cam_logits.float()))
    return torch.cat([1 - scores.amax(dim=1, keepdim=True), scores], dim=1) * mask


def stretched(maps: Tensor) -> Tensor:
    """Each map `[B, C, h, w]` divided by its largest value."""
    return maps / (maps.amax(dim=(2, 3), keepdim=True) + EPSILON)


@torch.no_grad()
def seeds(maps: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
    """Each cell belongs to the class whose map covers the same cells as those that are like it.

    Args:
        maps: `N`, `[B, C, h, w]`, the background first.
        vectors: what cells are compared by, `[B, D, h, w]`.
        mask: see `with_background`.

    Returns:
        `[B, C, h, w]` of 0 and 1.
    """
    flat, unit = maps.flatten(2), F.normalize(vectors.float().flatten(2), dim=1)
    overlaps = []
    with torch.autocast(maps.device.type, enabled=False):  # half precision has no room for a sum of all cells
        for block in unit.split(COLUMNS, dim=2):
            alike = F.relu(unit.transpose(1, 2) @ block)
            common = flat @ alike
            either = alike.sum(dim=1, keepdim=True) + flat.sum(dim=2, keepdim=True) - common
            overlaps.append(common / either.clamp(min=EPSILON))
    overlap = torch.cat(overlaps, dim=2).view_as(maps)
    overlap[:, 0] *= BACKGROUND
    cells = F.one_hot(overlap.argmax(dim=1), maps.shape[1]).movedim(-1, 1)
    return cells.to(maps.dtype) * mask


def unit_vectors(features: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """What cells are compared by: several maps on one grid, each made of vectors of length 1 so that all count alike.

    Args:
        features: maps, `[B, C_i, h_i, w_i]`.
        size: height and width of the grid.

    Returns:
        `H`, `[B, ΣC_i, h, w]`.
    """
    units = (one.float() / (one.float().norm(dim=1, keepdim=True) + EPSILON) for one in features)
    return torch.cat([F.interpolate(one, tuple(size), mode="bilinear", align_corners=False) for one in units], dim=1)


def prototype_maps(weights: Tensor, vectors: Tensor) -> Tensor:
    """How near each cell is to the mean of each class's seeds.

    Args:
        weights: of each cell in its class's prototype: seeds, `[B, C, h, w]`.
        vectors: `H`, `[B, D, h, w]`.

    Returns:
        `I`, `[B, C, h, w]` in `[0, 1]`; 0 for a class without a seed.
    """
    cells = vectors.float().flatten(2)
    with torch.autocast(cells.device.type, enabled=False):  # half precision has no room for a sum of all cells
        prototypes = torch.einsum("bcp,bdp->bcd", weights.flatten(2), cells)
        near = F.normalize(prototypes, dim=2) @ F.normalize(cells, dim=1)
    return F.relu(near).view_as(weights)
