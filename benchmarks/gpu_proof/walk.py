"""The random walk on the device, in 64 and in 32 bits, against a CPU's."""

from collections.abc import Iterator
from unittest import mock

import torch

from acr_lightning.affinity import random_walk as walk
from acr_lightning.affinity.neighbour_sums import GatheredSums
from benchmarks.gpu_proof.row import Row, judged
from benchmarks.table import seconds
from benchmarks.walk import BETA, EXPONENT, RADIUS, problem

# Scores are in 0..1 and stored in steps of 4e-3.
MOST = {torch.float64: 1e-6, torch.float32: 4e-3}


def check(device: str) -> Iterator[Row]:
    """A photo of 375×500 at stride 4, on a CPU at stride 16; on either as a GPU does it."""
    affinity, scores = problem(24, 32) if device == "cpu" else problem(94, 125)
    wanted = walk.random_walk(scores, affinity, RADIUS, BETA, EXPONENT)
    affinity, scores = affinity.to(device), scores.to(device)

    def result() -> torch.Tensor:
        return walk.random_walk(scores, affinity, RADIUS, BETA, EXPONENT).cpu()

    for precision, most in MOST.items():
        as_asked = mock.patch.object(walk, "_precision", lambda _, precision=precision: precision)
        with as_asked, mock.patch.dict(walk.SUMS, {device: GatheredSums}):
            apart, took, bits = float((result() - wanted).abs().max()), seconds(result, 3), torch.finfo(precision).bits
        value = f"{took * 1e3:.3g} ms; {apart:.0e} of 1 from a CPU's in 64 bits, at most {most:.0e}"
        yield judged(f"a walk in {bits} bits", apart <= most, value, **{f"walk.{bits}.ms": took * 1e3})
