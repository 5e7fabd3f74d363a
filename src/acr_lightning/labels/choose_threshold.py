"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import LEVELS, read_cam
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.labels.threshold import otsu, otsu_of_three
from acr_lightning.metrics.cam_scores import sweep_cams
from acr_lightning.metrics.confusion import miou

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


def oracle_threshold(cams: Path, dataset: TaggedDataset) -> float:
    """The threshold with the best mIoU on the masks of the split `seed`."""
    log.warning("label: threshold oracle reads the masks of the split seed")
    ids = dataset.ids("seed")
    dataset.make_masks(ids)
    matrices = sweep_cams(cams, dataset, ids).confusion()
    return int(np.argmax([miou(matrix) for matrix in matrices])) / LEVELS
