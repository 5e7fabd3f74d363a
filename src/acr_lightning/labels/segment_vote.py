"""Proposals × label → label: each mask goes to the class that is in it, by either of two published rules."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.proposals.mask_runs import Runs, paint, sums

# A class may take a mask of which it has this share, or which has this share of it; background: `(1 − max)^POWER`.
SHARE, COVER, POWER = 0.5, 0.85, 0.6


def voted(label: NDArray[np.uint8], masks: Sequence[Runs]) -> NDArray[np.uint8]:
    """A label `[H, W]` (0 background, 1..K, 255 unknown) after the vote of SEPL (Chen et al., 2023; arXiv 2305.05803).

    A mask goes to the class with the largest overlap of those that may take it, and a small overlap is painted over a
    large one, a rider over the horse; in the release a later class takes what an earlier one has. What no mask covers
    keeps its label, what is covered only by masks that nobody takes is background.
    """
    present = np.array([one for one in np.unique(label) if one not in (0, IGNORE)], np.uint8)
    if not (len(present) and len(masks)):
        return label
    each = label == present[:, None, None]
    overlaps, areas = sums(masks, each), sums(masks, np.ones((1, *label.shape)))
    overlaps *= (overlaps >= SHARE * areas) | (overlaps >= COVER * each.sum(axis=(1, 2)))
    result = label.copy()
    for runs in masks:
        paint(result, runs, 0)
    result[label == IGNORE] = IGNORE
    for at in np.argsort(-overlaps.max(axis=1), kind="stable"):
        if overlaps[at].any():
            paint(result, masks[at], present[overlaps[at].argmax()])
    return result


def mean_label(classes: NDArray[np.int64], scores: NDArray[np.float32], masks: Sequence[Runs]) -> NDArray[np.uint8]:
    """A label `[H, W]` of mean scores in masks (FMA: Yang and Gong, WACV 2024).

    From the tagged classes `[P]`, counted from 0, and their scores `[P, H, W]` in `[0, 1]`. The mask with the highest
    score is painted last, and what none covers is background.
    """
    result = np.zeros(scores.shape[1:], np.uint8)
    if len(classes) and len(masks):
        means = sums(masks, scores) / sums(masks, np.ones((1, *result.shape)))
        means /= np.maximum(means.max(axis=0), 1e-5)
        candidates = np.concatenate([(1 - means.max(axis=1, keepdims=True)) ** POWER, means], axis=1)
        for at in np.argsort(candidates.max(axis=1), kind="stable"):
            paint(result, masks[at], [0, *(classes + 1)][candidates[at].argmax()])
    return result
