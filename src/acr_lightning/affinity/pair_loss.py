"""The loss of pairs: cells of one label should be alike, cells of two labels should not (PSA and IRN)."""

from typing import NamedTuple

import torch
from torch import Tensor

from acr_lightning.affinity.neighbourhood import neighbours
from acr_lightning.artefacts.palette import IGNORE

EPSILON = 1e-5


class PairLoss(NamedTuple):
    """The three terms, each a mean over its pairs, unweighted; 0 where there is no such pair.

    Attributes:
        background: both cells are background.
        foreground: both belong to the same class.
        different: they belong to two labels.
    """

    background: Tensor
    foreground: Tensor
    different: Tensor

    def total(self) -> Tensor:
        """`bg/4 + fg/4 + neg/2`."""
        return self.background / 4 + self.foreground / 4 + self.different / 2


def pair_kinds(labels: Tensor, radius: int) -> Tensor:
    """Which pairs are of which kind, in the order of `PairLoss`; pairs with an unsure cell are of none.

    Args:
        labels: `[B, h, w]`: 0 background, 1..K, 255 unsure.
        radius: in cells.

    Returns:
        `[3, B, D, h, w]` of true and false.
    """
    here = labels.unsqueeze(1)
    there = neighbours(labels, radius, fill=IGNORE)
    is_sure = (here != IGNORE) & (there != IGNORE)
    same = is_sure & (here == there)
    return torch.stack([same & (here == 0), same & (here != 0), is_sure & ~same])


def pair_loss(affinity: Tensor, kinds: Tensor, counts: Tensor) -> PairLoss:
    """`−log a` for pairs of one label, `−log(1 − a)` for pairs of two.

    Args:
        affinity: of each cell with the cells of the half disc, `[B, D, h, w]` in `[0, 1]` (see `pair_affinity`).
        kinds: from `pair_kinds`.
        counts: pairs of each kind, `[3]`; on several devices the mean over them, so that each pair of the whole batch
            counts the same.
    """
    affinity = affinity.float()  # 16 bits cannot tell 1e-5 from 0 beside 1
    alike, unlike = -torch.log(affinity + EPSILON), -torch.log(1 + EPSILON - affinity)
    sums = [(values * kind).sum() for values, kind in zip((alike, alike, unlike), kinds, strict=True)]
    return PairLoss(*(torch.stack(sums) / counts.clamp(min=1)))
