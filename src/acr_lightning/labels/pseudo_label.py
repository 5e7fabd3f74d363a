"""From one image's CAM to its pseudo-label."""

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.labels.refiner import Refiner, refine


def with_background(
    scores: NDArray[np.float32],
    threshold: float | None = None,
    alpha: float | None = None,
    background: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Put the background before the classes.

    Args:
        scores: CAM of the tagged classes, `[P, H, W]` in `[0, 1]`; P may be 0.
        threshold: see `background_score`, as for the next two.
        alpha: likewise.
        background: likewise. One of the three is given.

    Returns:
        Probabilities that sum to 1, `[P + 1, H, W]`.

    Raises:
        ValueError: not exactly one of `threshold`, `alpha` and `background` is given.
    """
    if sum(one is not None for one in (threshold, alpha, background)) != 1:
        raise ValueError("give one of threshold, alpha and background")
    score = background_score(scores, threshold, alpha, background)
    all_scores = np.concatenate([score[None], scores]).astype(np.float32)
    return all_scores / np.maximum(all_scores.sum(axis=0), 1e-5)


def background_score(
    scores: NDArray[np.float32],
    threshold: float | None = None,
    alpha: float | None = None,
    background: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The background's score `[H, W]`: a constant (IRN), or a power of what no class has (PSA).

    Args:
        scores: CAM of the tagged classes, `[P, H, W]` in `[0, 1]`; P may be 0.
        threshold: a constant background score.
        alpha: the background score is `(1 − max_k S_k)^alpha`.
        background: what it is with neither; None is 1, as for a photo without tags.
    """
    if threshold is not None:
        return np.full(scores.shape[1:], threshold, np.float32)
    if alpha is not None:
        return (1 - scores.max(axis=0, initial=0)) ** np.float32(alpha)
    return np.ones(scores.shape[1:], np.float32) if background is None else background


def pseudo_label(
    image: NDArray[np.uint8],
    classes: NDArray[np.int64],
    scores: NDArray[np.float32],
    threshold: float | None = None,
    alpha: float | None = None,
    refiner: Refiner | None = None,
    background: NDArray[np.float32] | None = None,
    confidence: float | None = None,
) -> NDArray[np.uint8]:
    """The pseudo-label of one image: the tagged classes and background only.

    Args:
        image: RGB, `[H, W, 3]`.
        classes: the tagged classes, `[P]`, counted from 0.
        scores: their CAM, `[P, H, W]` in `[0, 1]`.
        threshold: see `with_background`.
        alpha: see `with_background`.
        refiner: what sharpens the scores; None goes without.
        background: see `with_background`.
        confidence: a label that is less probable than this is 255 instead.

    Returns:
        `[H, W]`, 0 background, `k + 1` for class `k`.
    """
    probabilities = with_background(scores, threshold, alpha, background)
    if refiner is not None and len(classes):
        probabilities = refine(refiner, image, probabilities)
    labels = np.concatenate([[0], classes + 1]).astype(np.uint8)
    label = labels[probabilities.argmax(axis=0)]
    if confidence is not None:
        label[probabilities.max(axis=0) < confidence] = IGNORE
    return label
