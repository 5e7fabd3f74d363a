"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import LEVELS, read_cam
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.labels.threshold import otsu, otsu_of_three
from acr_lightning.metrics.cam_scores import sweep_cams
from acr_lightning.metrics.confusion import miou

# Of the bootstrap.
RESAMPLES = 1000
log = logging.getLogger(__name__)


def automatic_threshold(files: Iterable[Path]) -> float:
    """Otsu's threshold over the winning score of every pixel of every CAM; no masks.

    Args:
        files: CAM files.

    Returns:
        The threshold in `[0, 1]`.
    """
    return otsu(_histogram(files)) / LEVELS


def automatic_thresholds(files: Iterable[Path]) -> tuple[float, float]:
    """Otsu's two thresholds over the same: below the first is sure background, from the second on a sure class."""
    weak, strong = otsu_of_three(_histogram(files))
    return weak / LEVELS, strong / LEVELS


def _histogram(files: Iterable[Path]) -> NDArray[np.int64]:
    """Pixels by the level of their winning score."""
    histogram = np.zeros(LEVELS + 1, np.int64)
    for path in files:
        levels = read_cam(path).levels
        if len(levels):
            histogram += np.bincount(levels.max(axis=0).ravel(), minlength=LEVELS + 1)
    return histogram


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
    log.warning("label: threshold oracle reads the masks of the split seed")
    matrices = sweep_cams(cams, dataset, ids).confusion()
    return int(np.argmax([miou(matrix) for matrix in matrices])) / LEVELS
