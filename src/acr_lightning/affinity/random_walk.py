"""The random walk that spreads scores over cells of like kind, without ever making an N×N matrix.

The transition matrix is `T = W^β` with each column divided by its sum (PSA and IRN), where `W` holds the affinity of
every pair of cells within a radius, and 1 for a cell with itself. `s·T` is a mean over each cell's neighbourhood, and
is done as one (`neighbour_sums`). A walk is `s·T^n` with `n = 2^exponent`. `T` is similar to a symmetric matrix with
eigenvalues in `[−1, 1]`, on which the power is a short sum of Chebyshev polynomials:

    x^n = Σ_m P(|S_n| = m)·T_m(x)        S_n: n fair steps of ±1

and `P(|S_n| = m)` vanishes beyond a few `√n`. So 84 products do the work of 256, with an error below 1e-6. That needs
64 bits: in 32, rounding alone shifts scores by 1e-3 in 256 products, however they are done.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from acr_lightning.affinity.neighbour_sums import GatheredSums, ShiftedSums
from acr_lightning.affinity.neighbourhood import half_disc

# What may be left out of the sum over Chebyshev polynomials; scores are stored in steps of 4e-3.
TOLERANCE = 1e-7
# How a step is done, by the kind of device; on others as on a CPU.
SUMS: dict[str, type[ShiftedSums] | type[GatheredSums]] = {"cuda": GatheredSums}


class Transition:
    """`T`, kept as weights of the pairs.

    Args:
        affinity: of each cell with the cells of the half disc, `[B, D, h, w]` in `[0, 1]`, 0 beyond the border (see
            `pair_affinity`).
        radius: that it was made with.
        beta: power of the affinity; a higher one makes weak ties weaker.

    Raises:
        ValueError: the affinity is not of this radius.
    """

    def __init__(self, affinity: Tensor, radius: int, beta: float) -> None:
        count = len(half_disc(radius))
        if affinity.dim() != 4 or affinity.shape[1] != count:
            raise ValueError(f"affinity is {list(affinity.shape)}, at radius {radius} it has {count} offsets")
        weights = affinity.to(_precision(affinity)) ** beta
        self._sum_of_neighbours = SUMS.get(affinity.device.type, ShiftedSums)(weights, radius)
        # W is symmetric, so its column sums are what it makes of ones.
        self.sums = self._sum_of_neighbours(torch.ones_like(weights[:, :1]).flatten(2))

    def __call__(self, scores: Tensor) -> Tensor:
        """`s·T`: `[B, P, N]` to `[B, P, N]`, in the precision of `sums`."""
        return self._sum_of_neighbours(scores).div_(self.sums)


def random_walk(scores: Tensor, affinity: Tensor, radius: int = 5, beta: float = 10.0, exponent: int = 8) -> Tensor:
    """Walk: `s·T^(2^exponent)`.

    Time grows with `N·D·√(2^exponent)`, memory with `N·D`.

    Args:
        scores: of the present classes, `[B, P, h, w]`.
        affinity: `[B, D, h, w]`, see `Transition`.
        radius: of the affinity, in cells.
        beta: power of the affinity: 8 (PSA) or 10 (IRN).
        exponent: the walk has `2^exponent` steps: 8, or 6 (SEAM).

    Returns:
        `[B, P, h, w]`; a convex mean of the scores, so in their range.
    """
    transition = Transition(affinity, radius, beta)
    shares = chebyshev_shares(2**exponent)
    before = scores.flatten(2).to(transition.sums.dtype)
    now = transition(before)
    total = shares[0] * before + shares[1] * now
    for share in shares[2:]:
        before, now = now, torch.lerp(before, transition(now), 2)  # T_{m+1}(x) = 2x·T_m(x) − T_{m−1}(x)
        if share:
            total.add_(now, alpha=share)
    return total.view_as(scores).to(scores.dtype)


def _precision(values: Tensor) -> torch.dtype:
    """64 bits, where the device has them."""
    return torch.float32 if values.device.type == "mps" else torch.float64


@lru_cache
def chebyshev_shares(power: int) -> tuple[float, ...]:
    """`P(|S_n| = m)` for `m = 0, 1, …`, up to where less than `TOLERANCE` is left; at least two.

    Args:
        power: `n`, at least 1.
    """
    shares = [0.0] * (power + 1)
    for distance in range(power % 2, power + 1, 2):
        both_sides = 2 if distance else 1
        shares[distance] = both_sides * math.comb(power, (power - distance) // 2) / 2**power
    count, rest = 2, 1 - sum(shares[:2])
    while rest > TOLERANCE:
        rest -= shares[count]
        count += 1
    return tuple(shares[:count])
