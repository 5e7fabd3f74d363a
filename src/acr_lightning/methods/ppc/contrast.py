"""Cells against prototypes (PPC, CVPR 2022)."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from acr_lightning.methods.ppc.cells import Cells, Prototypes, prototypes_of

# Of the other classes' prototypes, the likest first, those between these shares count: of 20 the fourth to the 13th.
SEMI_HARD = (0.15, 0.65)


@dataclass(frozen=True)
class Contrast:
    """How cells are compared with prototypes; the defaults are the release's.

    Args:
        weight: of each of the three terms.
        temperature: that likeness is divided by.
        grid: cells along a side of a photo.
        background: score of the background, for a cell's label.
        width: channels in which cells are compared.
    """

    weight: float = 0.1
    temperature: float = 0.1
    grid: int = 16
    background: float = 0.2
    width: int = 128


class Terms(NamedTuple):
    """Unweighted, each the mean of both sizes.

    Attributes:
        cross_prototype: a size's cells and labels against the other's prototypes.
        cross_label: a size's cells and prototypes by the other's labels.
        intra: a size's hard and random cells against its own semi-hard prototypes, the mean over labels.
    """

    cross_prototype: Tensor
    cross_label: Tensor
    intra: Tensor


def contrast(one: Cells, two: Cells, noise: Tensor, settings: Contrast) -> Terms:
    """The three terms of a batch that is seen at two sizes.

    Args:
        one: cells of the photos.
        two: the same cells of the smaller photos.
        noise: a random number for each cell, `[N]`.
        settings: see `Contrast`.
    """
    count, heat = max(1, settings.grid**2 // 8), settings.temperature
    # The temperature makes what half precision rounds ten times larger.
    with torch.autocast(noise.device.type, enabled=False):
        first, second = prototypes_of(one, count), prototypes_of(two, count)
        return Terms(
            (loss(one.vectors, one.labels, second, heat) + loss(two.vectors, two.labels, first, heat)) / 2,
            (loss(one.vectors, two.labels, first, heat) + loss(two.vectors, one.labels, second, heat)) / 2,
            (_intra(one, first, noise, heat) + _intra(two, second, noise, heat)) / 2,
        )


def loss(vectors: Tensor, labels: Tensor, prototypes: Prototypes, temperature: float) -> Tensor:
    """The mean of `losses` over the cells; those whose class has no prototype are left out."""
    is_present = prototypes.present[labels]
    each = losses(vectors, labels, prototypes, temperature, prototypes.present)
    return (each * is_present).sum() / is_present.sum().clamp(min=1)


def losses(vectors: Tensor, labels: Tensor, prototypes: Prototypes, temperature: float, among: Tensor) -> Tensor:
    """`−log softmax` of each cell's own prototype, `[N]`.

    Args:
        vectors: `[N, D]`.
        labels: `[N]`.
        prototypes: of all classes.
        temperature: that likeness is divided by.
        among: which prototypes a cell is compared with beside its own, `[K + 1]` or of each cell `[N, K + 1]`.
    """
    alike = vectors @ prototypes.vectors.T / temperature
    mask = among.expand_as(alike).scatter(1, labels[:, None], True)
    return alike.masked_fill(~mask, -torch.inf).logsumexp(dim=1) - alike.gather(1, labels[:, None])[:, 0]


def semi_hard(vectors: Tensor, labels: Tensor, prototypes: Prototypes) -> Tensor:
    """For each cell the other classes' prototypes that are neither likest nor least like it, `[N, K + 1]`."""
    others = prototypes.present.expand(len(labels), -1).scatter(1, labels[:, None], False)
    alike = (vectors @ prototypes.vectors.T).masked_fill(~others, -torch.inf)
    ranks = alike.argsort(dim=1, descending=True).argsort(dim=1)
    count = others.sum(dim=1, keepdim=True)
    return others & (ranks >= (SEMI_HARD[0] * count).floor()) & (ranks < (SEMI_HARD[1] * count).ceil())


def sampled(alike: Tensor, labels: Tensor, noise: Tensor, num_labels: int) -> Tensor:
    """How often each cell counts: a random half of each label's cells, and the 10 to 60 % least like its prototype.

    Args:
        alike: how much each cell is like its own prototype, `[N]`.
        labels: `[N]`.
        noise: `[N]`.
        num_labels: K + 1.

    Returns:
        0, 1 or 2 over how many of its label there are in all, `[N]`; a label that has one cell has none.
    """
    counts = (labels[:, None] == torch.arange(num_labels, device=labels.device)).sum(dim=0)
    of_label = counts[labels]
    half, most = of_label // 2, of_label * 3 // 5
    hardness = _ranks(alike, labels, counts)
    times = (_ranks(noise, labels, counts) < half).int() + ((hardness >= most - half) & (hardness < most)).int()
    return times / (2 * half).clamp(min=1)


def _ranks(values: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """The place of each cell among those of its label, the smallest value first, `[N]`."""
    order = values.argsort()
    order = order[labels[order].argsort(stable=True)]
    first = counts.cumsum(dim=0) - counts
    place = torch.arange(len(labels), device=labels.device) - first[labels[order]]
    return torch.empty_like(place).scatter(0, order, place)


def _intra(cells: Cells, prototypes: Prototypes, noise: Tensor, temperature: float) -> Tensor:
    """The mean over the labels that are there of the means of their sampled cells."""
    vectors, labels = cells.vectors.detach(), cells.labels
    alike = (vectors * prototypes.vectors[labels]).sum(dim=1)
    num_labels = len(prototypes.present)
    each = losses(cells.vectors, labels, prototypes, temperature, semi_hard(vectors, labels, prototypes))
    shares = sampled(alike, labels, noise, num_labels) * prototypes.present[labels]
    are_there = (labels[:, None] == torch.arange(num_labels, device=labels.device)).any(dim=0).sum()
    return (each * shares).sum() / are_there
