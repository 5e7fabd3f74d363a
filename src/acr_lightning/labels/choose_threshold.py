"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_multiotsu

from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.artefacts.cam_histogram import histogram
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.cam_scores import cam_scores, sweep_cams

# Of the bootstrap.
RESAMPLES = 1000
log = logging.getLogger(__name__)


def automatic_thresholds(cams: Path, ids: Sequence[str], parts: int) -> list[float]:
    """Otsu's thresholds over the winning score of every pixel of every CAM; no masks.

    Args:
        cams: folder of CAM files.
        ids: of the photos.
        parts: that the scores are split into: 2, or 3 for sure background, what is between, and a sure class.

    Returns:
        In `[0, 1]`, ascending, the lowest score of each part but the first.
    """
    counts = histogram(cams, ids)
    if np.count_nonzero(counts) < parts:  # nothing to split
        return [level / LEVELS for level in range(1, parts)]
    return [(int(level) + 1) / LEVELS for level in threshold_multiotsu(hist=counts, classes=parts)]


class ChosenThreshold(NamedTuple):
    """A threshold that was chosen on masks.

    Attributes:
        threshold: in `[0, 1]`.
        low: 95 % of the bootstrap's thresholds lie between this
        high: and this.
        photos: how many have a mask.
    """

    threshold: float
    low: float
    high: float
    photos: int


def threshold_of_masks(cams: Path, dataset: TaggedDataset) -> ChosenThreshold:
    """The threshold with the best mIoU on those photos of the split `seed` that have a mask, and how sure it is.

    The interval is the percentile bootstrap's over photos (Efron, 1979): how the threshold varies if other photos of
    the kind, as many, were masked.

    Raises:
        UserError: fewer than two photos have a mask.
    """
    ids = dataset.scored(dataset.ids("seed"))
    if len(ids) < 2:
        raise UserError(
            f"label.threshold: masks needs those of two photos, and there are {len(ids)}; set dataset.masks"
        )
    log.warning("label: threshold masks reads the masks of %d photos", len(ids))
    counts = [_by_class(sweep_cams(cams, dataset, [image_id]).confusion()) for image_id in ids]
    resample = np.random.default_rng(0).integers(len(ids), size=(RESAMPLES, len(ids)))
    thresholds = [_best_level(counts, picks) / LEVELS for picks in resample]
    low, high = np.quantile(thresholds, [0.025, 0.975])
    return ChosenThreshold(_best_level(counts, range(len(ids))) / LEVELS, float(low), float(high), len(ids))


def _by_class(matrices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Confusion matrices `[256, K + 1, K + 1]` to hits and to union and hits, `[2, 256, K + 1]`."""
    hits = matrices.diagonal(axis1=1, axis2=2)
    return np.stack([hits, matrices.sum(axis=1) + matrices.sum(axis=2)])


def _best_level(counts: Sequence[NDArray[np.int64]], picks: Iterable[int]) -> int:
    """The level of the best mIoU on these photos, over the labels that they have; the lowest of several."""
    hits, both = np.sum([counts[pick] for pick in picks], axis=0)
    iou = hits / np.maximum(both - hits, 1)
    return int(np.argmax(iou.sum(axis=1) / (both > 0).sum(axis=1)))


def oracle_threshold(cams: Path, dataset: TaggedDataset) -> float:
    """The threshold with the best mIoU on the masks of the split `seed`.

    Raises:
        UserError: not all of its photos have a mask.
    """
    ids = dataset.ids("seed")
    if missing := len(ids) - len(dataset.scored(ids)):
        raise UserError(
            f"label.threshold: oracle needs the masks of all photos of the split seed, and {missing} of {len(ids)} "
            "have none; `masks` takes those that there are"
        )
    return float(max(cam_scores(cams, dataset, ids), key=lambda row: float(row["miou"]))["threshold"])
