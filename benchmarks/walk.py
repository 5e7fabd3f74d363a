"""The random walk against squaring a dense matrix, which is how PSA's and IRN's releases do it.

As a program, `python -m benchmarks.walk HEIGHT WIDTH CLASSES` prints seconds and the peak of memory of one walk.
"""

import json
import sys
import time

import torch
from torch import Tensor

from acr_lightning.affinity.neighbourhood import half_disc
from acr_lightning.affinity.pair_affinity import boundary_affinity
from acr_lightning.affinity.random_walk import random_walk
from benchmarks.probe import forget_peak, measure, megabytes
from benchmarks.table import Row, seconds

RADIUS, BETA, EXPONENT, CLASSES = 5, 10.0, 8, 3


def benchmark() -> list[Row]:
    """Both strides on a 375×500 photo, and a 2048×2048 photo that no dense matrix could hold."""
    rows = []
    for stride in (8, 4):
        height, width = -(-375 // stride), -(-500 // stride)
        affinity, scores = problem(height, width)
        ours = seconds(lambda: random_walk(scores, affinity, RADIUS, BETA, EXPONENT), repeats=5)  # noqa: B023
        whole = stride == 8
        result, dense, megabyte = dense_walk(scores, affinity, squarings=EXPONENT if whole else 1)
        note = "every squaring done and timed" if whole else "one of 8 equal squarings timed, times 8"
        if whole:
            apart = float((random_walk(scores, affinity, RADIUS, BETA, EXPONENT) - result).abs().max())
            note += f"; results differ by {apart:.0e} (the dense way has 32 bits)"
        peak = measure("walk", height, width, CLASSES)["megabytes"]
        rows.append(
            Row(
                f"walk, 375×500 at stride {stride} (N = {height * width}), {CLASSES} classes, 256 steps",
                f"{ours:.3f} s, {peak:.0f} MB",
                f"{dense:.1f} s, {megabyte:.0f} MB a matrix",
                {f"walk.stride{stride}.speedup": dense / ours, f"walk.stride{stride}.peak_mb": peak},
                note,
            )
        )
    large = measure("walk", 512, 512, CLASSES)
    rows.append(
        Row(
            f"walk, 2048×2048 at stride 4 (N = {512 * 512}), {CLASSES} classes, 256 steps",
            f"{large['seconds']:.2f} s, {large['megabytes']:.0f} MB",
            f"a matrix of {512**4 * 4 / 2**30:.0f} GB",
            {"walk.2048.seconds": large["seconds"], "walk.2048.peak_mb": large["megabytes"]},
        )
    )
    return rows


def problem(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Affinities of a random boundary map, and scores: `[1, D, h, w]` and `[1, P, h, w]`."""
    generator = torch.Generator().manual_seed(0)
    boundary = torch.rand(1, height, width, generator=generator) ** 3
    return boundary_affinity(boundary, RADIUS), torch.rand(1, CLASSES, height, width, generator=generator)


def dense_walk(scores: Tensor, affinity: Tensor, squarings: int) -> tuple[Tensor, float, float]:
    """The published way, plainly: fill an N×N matrix, divide its columns by their sums, square it, multiply once.

    Args:
        scores: `[1, P, h, w]`.
        affinity: `[1, D, h, w]`.
        squarings: how many are done; the time of the others is taken to be the same.

    Returns:
        The walked scores (of as many squarings), seconds for all `EXPONENT` squarings, megabytes of one matrix.
    """
    height, width = scores.shape[-2:]
    start = time.perf_counter()
    matrix = torch.eye(height * width)
    cells = torch.arange(height * width).view(height, width)
    for number, (dy, dx) in enumerate(half_disc(RADIUS)):
        left, right = max(0, -dx), max(0, dx)
        here = cells[: height - dy, left : width - right].flatten()
        there = cells[dy:, right : width - left].flatten()
        value = affinity[0, number, : height - dy, left : width - right].flatten()
        matrix[here, there] = value
        matrix[there, here] = value
    matrix.pow_(BETA)
    matrix /= matrix.sum(dim=0, keepdim=True)
    filled = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(squarings):
        matrix = matrix @ matrix
    squared = (time.perf_counter() - start) * EXPONENT / squarings
    start = time.perf_counter()
    walked = (scores.flatten(2)[0] @ matrix).view_as(scores)
    return walked, filled + squared + time.perf_counter() - start, matrix.numel() * 4 / 2**20


def main() -> None:
    """One walk in this process, alone."""
    height, width, classes = map(int, sys.argv[1:4])
    # Random affinities: how they are made must not count as the walk's peak.
    affinity = torch.rand(1, len(half_disc(RADIUS)), height, width)
    for number, (dy, dx) in enumerate(half_disc(RADIUS)):
        affinity[0, number, height - dy :] = 0
        affinity[0, number, :, : max(0, -dx)] = 0
        affinity[0, number, :, width - max(0, dx) :] = 0
    scores = torch.rand(1, classes, height, width)
    random_walk(
        scores[..., :9, :9], affinity[..., :9, :9].contiguous(), RADIUS, BETA, 1
    )  # threads and buffers of torch
    forget_peak()
    before, start = megabytes("VmRSS"), time.perf_counter()
    random_walk(scores, affinity, RADIUS, BETA, EXPONENT)
    took = time.perf_counter() - start
    print(json.dumps({"seconds": took, "megabytes": megabytes("VmHWM") - before}))


if __name__ == "__main__":
    main()
