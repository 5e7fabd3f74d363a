"""The loss of pairs: cells of one label should be alike, cells of two labels should not (FACTS §2)."""

from typing import NamedTuple

import torch
from torch import Tensor

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.refine.neighbourhood import neighbours

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


def pair_loss(affinity: Tensor, labels: Tensor, radius: int) -> PairLoss:
    """`−log a` for pairs of one label, `−log(1 − a)` for pairs of two; pairs with an unsure cell do not count.

    Args:
        affinity: of each cell with the cells of the half disc, `[B, D, h, w]` in `[0, 1]` (see `refine.pair_affinity`).
        labels: `[B, h, w]`: 0 background, 1..K, 255 unsure.
        radius: of the affinity, in cells.
    """
    here = labels.unsqueeze(1)
    there = neighbours(labels, radius, fill=IGNORE)
    known = (here != IGNORE) & (there != IGNORE)
    same = known & (here == there)
    affinity = affinity.float()  # 16 bits cannot tell 1e-5 from 0 beside 1
    alike, unlike = -torch.log(affinity + EPSILON), -torch.log(1 + EPSILON - affinity)
    return PairLoss(
        background=_mean(alike, same & (here == 0)),
        foreground=_mean(alike, same & (here != 0)),
        different=_mean(unlike, known & ~same),
    )


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum() / counted.sum().clamp(min=1)
