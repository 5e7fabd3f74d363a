"""Each tagged class against the background by itself, from an evened CAM; overlaps go to the smaller one (PMM).

Li, Kuang, Liu, Chen and Zhang: Pseudo-mask Matters in Weakly-supervised Semantic Segmentation, ICCV 2021; release
Eli-YiLi/PMM@134ad33 (`refine_cam.py`).
"""

import numpy as np
from numpy.typing import NDArray

from acr_lightning.labels.pseudo_label import with_background
from acr_lightning.labels.refiner import Refiner, refine

# Scores below it are background before anything else is asked.
LEAST = 0.05


def smoothed(score: NDArray[np.float32], smoothing: float) -> NDArray[np.float32]:
    """A class's scores, the more even the more they vary: `v^(1 − smoothing · std/mean)`.

    Args:
        score: `v`, `[H, W]` in `[0, 1]`; what is below 0.05 becomes 0.
        smoothing: 0 leaves the others as they are.

    Returns:
        `[H, W]` in `[0, 1]`.
    """
    values = score[score > LEAST]
    variation = float(values.std() / values.mean()) if len(values) else 0.0
    return np.where(score < LEAST, 0, score ** (1 - smoothing * variation)).astype(np.float32)


def proportional_label(
    image: NDArray[np.uint8],
    classes: NDArray[np.int64],
    scores: NDArray[np.float32],
    smoothing: float,
    threshold: float | None = None,
    alpha: float | None = None,
    refiner: Refiner | None = None,
) -> NDArray[np.uint8]:
    """The pseudo-label of one image, each tagged class refined against the background without the others.

    A pixel that several classes claim goes to the one that has the largest share of its own sum of scores there.

    Args:
        image: RGB, `[H, W, 3]`.
        classes: the tagged classes, `[P]`, counted from 0.
        scores: their CAM, `[P, H, W]` in `[0, 1]`.
        smoothing: see `smoothed`.
        threshold: see `with_background`, of each class by itself.
        alpha: likewise.
        refiner: what sharpens the scores; it is called once for each class. None goes without.

    Returns:
        `[H, W]`, 0 background, `k + 1` for class `k`.
    """
    claims = np.zeros(scores.shape, bool)
    for claim, score in zip(claims, scores, strict=True):
        probabilities = with_background(smoothed(score, smoothing)[None], threshold, alpha)
        if refiner is not None:
            probabilities = refine(refiner, image, probabilities)
        claim[:] = probabilities[1] > probabilities[0]
    shares = scores * claims
    shares /= 1 + shares.sum(axis=(1, 2), keepdims=True)
    candidates = np.concatenate([~claims.any(axis=0, keepdims=True), shares])
    return np.concatenate([[0], classes + 1]).astype(np.uint8)[candidates.argmax(axis=0)]
