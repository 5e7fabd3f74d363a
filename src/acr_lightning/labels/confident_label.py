"""What two backgrounds agree on in a CAM: sure foreground, sure background, and nothing in between (PSA and IRN)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.labels.refiner import Refiner


class BackgroundScore(NamedTuple):
    """How the background is scored: one of the two; see `pseudo_label.with_background`."""

    threshold: float | None = None
    alpha: float | None = None


def confident_label(
    image: NDArray[np.uint8],
    classes: NDArray[np.int64],
    scores: NDArray[np.float32],
    strong: BackgroundScore,
    weak: BackgroundScore,
    refiner: Refiner | None,
) -> NDArray[np.uint8]:
    """The label of a photo where it is certain.

    Args:
        image: RGB, `[H, W, 3]`.
        classes: the tagged classes, `[P]`, counted from 0.
        scores: their CAM, `[P, H, W]` in `[0, 1]`.
        strong: a high background score: a class that wins against it is sure (PSA: alpha 4, IRN: threshold 0.30).
        weak: a low background score: what is background even so is sure (PSA: alpha 24 or 32, IRN: threshold 0.05).
        refiner: what both pass through (a dense CRF in PSA and IRN); None goes without.

    Returns:
        `[H, W]`: 0 where both say background, `k + 1` where class `k` is sure, 255 elsewhere.
    """
    sure, either = (
        pseudo_label(image, classes, scores, score.threshold, score.alpha, refiner) for score in (strong, weak)
    )
    background = (sure == 0) & (either == 0)
    return np.where(sure > 0, sure, np.where(background, 0, IGNORE)).astype(np.uint8)
