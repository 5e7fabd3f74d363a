"""Cells against prototypes (PPC, CVPR 2022)."""

from dataclasses import dataclass
from math import ceil
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
        intra: a size's hard and random cells against its own semi-hard prototypes.
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


def loss(
    vectors: Tensor, labels: Tensor, prototypes: Prototypes, temperature: float, among: Tensor | None = None
) -> Tensor:
    """The mean of `−log softmax` of each cell's own prototype; cells whose class has none are left out.

    Args:
        vectors: `[N, D]`.
        labels: `[N]`.
        prototypes: of all classes.
        temperature: that likeness is divided by.
        among: which prototypes each cell is compared with beside its own, `[N, K + 1]`; None takes all.
    """
    alike = vectors @ prototypes.vectors.T / temperature
    own_score = alike.gather(1, labels[:, None])[:, 0]
    mask = prototypes.present if among is None else among & prototypes.present
    mask = mask.expand_as(alike).scatter(1, labels[:, None], True)
    each = alike.masked_fill(~mask, -torch.inf).logsumexp(dim=1) - own_score
    is_present = prototypes.present[labels]
    return (each * is_present).sum() / is_present.sum().clamp(min=1)


def semi_hard(vectors: Tensor, labels: Tensor, prototypes: Prototypes) -> Tensor:
    """For each cell the other classes' prototypes that are neither likest nor least like it, `[N, K + 1]`."""
    others = prototypes.present.expand(len(labels), -1).scatter(1, labels[:, None], False)
    alike = (vectors @ prototypes.vectors.T).masked_fill(~others, -torch.inf)
    ranks = alike.argsort(dim=1, descending=True).argsort(dim=1)
    count = others.sum(dim=1, keepdim=True)
    return others & (ranks >= (SEMI_HARD[0] * count).floor()) & (ranks < (SEMI_HARD[1] * count).ceil())


def sampled(alike: Tensor, labels: Tensor, noise: Tensor) -> Tensor:
    """Of each label's cells the quarter that is least like its prototype, and a quarter at random: indices.

    Args:
        alike: how much each cell is like its own prototype, `[N]`.
        labels: `[N]`.
        noise: `[N]`.
    """
    indices = []
    for label in labels.unique():
        at = (labels == label).nonzero()[:, 0]
        count = ceil(len(at) / 4)
        indices += [at[alike[at].topk(count, largest=False).indices], at[noise[at].topk(count).indices]]
    return torch.cat(indices)


def _intra(cells: Cells, prototypes: Prototypes, noise: Tensor, temperature: float) -> Tensor:
    vectors = cells.vectors.detach()
    alike = (vectors * prototypes.vectors[cells.labels]).sum(dim=1)
    at = sampled(alike, cells.labels, noise)
    among = semi_hard(vectors[at], cells.labels[at], prototypes)
    return loss(cells.vectors[at], cells.labels[at], prototypes, temperature, among)
