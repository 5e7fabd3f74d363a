"""Scoring CAMs at 256 thresholds: one pass against a pass for each threshold."""

import numpy as np
from numpy.typing import NDArray

from acr_lightning.metrics.threshold_sweep import ThresholdSweep
from benchmarks.scenes import Scene, scene
from benchmarks.table import Row, seconds

PHOTOS, LABELS, LEVELS = 8, 21, 256


def benchmark() -> list[Row]:
    """Both on the same arrays in memory; reading files 256 times is not even counted."""
    scenes = [scene(seed) for seed in range(PHOTOS)]
    levels = [np.rint(one.scores * 255).astype(np.uint8) for one in scenes]
    for one in scenes:
        one.mask[:3] = 255
    found: dict[str, NDArray[np.int64]] = {}

    def once() -> None:
        sweep = ThresholdSweep(LABELS)
        for one, level in zip(scenes, levels, strict=True):
            sweep.update(one.mask, one.classes, level)
        found["once"] = sweep.confusion()

    def each() -> None:
        found["each"] = np.stack([at_threshold(scenes, levels, threshold) for threshold in range(LEVELS)])

    ours, other = seconds(once, repeats=3), seconds(each)
    if not np.array_equal(found["once"], found["each"]):
        raise SystemExit("sweep: the two ways count differently")
    return [
        Row(
            f"scores of {PHOTOS} CAMs (375×500, 2 classes of 20) at {LEVELS} thresholds",
            f"{ours:.2f} s",
            f"{other:.1f} s",
            {"sweep.speedup": other / ours},
            "equal counts; files are not read here",
        )
    ]


def at_threshold(scenes: list[Scene], levels: list[NDArray[np.uint8]], threshold: int) -> NDArray[np.int64]:
    """The confusion matrix at one threshold: label every pixel, then count, photo by photo."""
    counts = np.zeros((LABELS, LABELS), np.int64)
    for one, level in zip(scenes, levels, strict=True):
        best = level.max(axis=0)
        label = np.where(best > threshold, (one.classes + 1)[level.argmax(axis=0)], 0)
        scored = one.mask != 255
        pairs = one.mask[scored].astype(np.int64) * LABELS + label[scored]
        counts += np.bincount(pairs, minlength=LABELS**2).reshape(LABELS, LABELS)
    return counts


if __name__ == "__main__":
    print(benchmark())
