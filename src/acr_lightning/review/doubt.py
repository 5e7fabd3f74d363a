"""Which labels are doubtful, told without any mask: what a higher threshold takes away, and where scores are close."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.labels.pseudo_label import background_score, pseudo_label, with_background
from acr_lightning.review.reviewed_run import ReviewedRun
from acr_lightning.system.pool import map_in_pool

# How far the background's score is moved up.
STEP = 0.2
# Photos that are measured before other processes would have started.
FEW = 24


class Measures(NamedTuple):
    """What speaks for a photo's label, in 0..1 each; an IoU is the mean over its tags.

    Attributes:
        steady: IoU of the label and that of its CAM at a background score higher by 0.2.
        sure: the mean share that the label's class has in the scores of all and the background's, where the label has a
            class; 0 where it has none.
        network: IoU of the label and the network's prediction; None where there is none.
    """

    steady: float
    sure: float
    network: float | None


def agreement(one: NDArray[np.uint8], two: NDArray[np.uint8], labels: Sequence[int]) -> float:
    """The mean IoU of these labels in two label maps `[H, W]`; one that neither has counts 0.

    Pixels that are 255 in either are left out. Without labels it is 1.
    """
    known = (one != IGNORE) & (two != IGNORE)
    ious = []
    for label in labels:
        first, second = (one == label) & known, (two == label) & known
        ious.append(int((first & second).sum()) / max(1, int((first | second).sum())))
    return float(np.mean(ious)) if ious else 1.0


def measure(name: str, run: ReviewedRun) -> Measures:
    """Measure one photo's label; a `UserError` says which of its files is missing or damaged."""
    label, prediction, decision = run.label(name), run.prediction(name), run.made_with.get(name, Decision())
    cam, way = run.cam(name, label.shape, decision), run.way.at(decision.threshold)
    tags = [int(tag) + 1 for tag in cam.classes]
    background = background_score(cam.scores, way.threshold, way.alpha, cam.background)
    higher = pseudo_label(np.empty(0, np.uint8), cam.classes, cam.scores, background=(background + STEP).clip(0, 1))
    shares = with_background(cam.scores, background=background)[1:]
    own_shares = [share[label == tag] for tag, share in zip(tags, shares, strict=True)]
    has_class = bool(np.isin(label, tags).any())
    return Measures(
        agreement(label, higher, tags),
        float(np.concatenate(own_shares).mean()) if has_class else float(not tags),
        None if prediction is None or prediction.shape != label.shape else agreement(label, prediction, tags),
    )


def measure_all(run: ReviewedRun) -> list[Measures]:
    """Measure every label of a run, in the order of its names."""
    return list(map_in_pool(partial(measure, run=run), run.names, "labels", few=FEW))


def ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Each value's rank in 0..1, 1 for the largest; equal values share the mean of their ranks."""
    _, at, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    ranks_of_each = counts.cumsum() - counts + (counts - 1) / 2
    return ranks_of_each[at] / max(1, len(values) - 1)


def doubts(measures: Sequence[Measures]) -> list[float]:
    """How doubtful each label is, in 0..1: the mean of its ranks among the others by each of the measures."""
    columns = np.full((len(Measures._fields), len(measures)), np.nan)
    for column, name in zip(columns, Measures._fields, strict=True):
        measured = {at: value for at, one in enumerate(measures) if (value := getattr(one, name)) is not None}
        column[[*measured]] = ranks([-value for value in measured.values()])
    return [float(value) for value in np.nanmean(columns, axis=0)]
