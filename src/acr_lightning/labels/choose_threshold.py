"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.artefacts.cam_histogram import histogram
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.labels.threshold import otsu, otsu_of_three
from acr_lightning.metrics.cam_scores import sweep_cams
from acr_lightning.metrics.confusion import miou

log = logging.getLogger(__name__)


def automatic_threshold(cams: Path, ids: Sequence[str]) -> float:
    """Otsu's threshold over the winning score of every pixel of every CAM; no masks.

    Args:
        cams: folder of CAM files.
        ids: of the photos.

    Returns:
        The threshold in `[0, 1]`.
    """
    return otsu(histogram(cams, ids)) / LEVELS


def automatic_thresholds(cams: Path, ids: Sequence[str]) -> tuple[float, float]:
    """Otsu's two thresholds over the same: below the first is sure background, from the second on a sure class."""
    weak, strong = otsu_of_three(histogram(cams, ids))
    return weak / LEVELS, strong / LEVELS


def oracle_threshold(cams: Path, dataset: TaggedDataset) -> float:
    """The threshold with the best mIoU on the masks of the split `seed`."""
    log.warning("label: threshold oracle reads the masks of the split seed")
    ids = dataset.ids("seed")
    dataset.make_masks(ids)
    matrices = sweep_cams(cams, dataset, ids).confusion()
    return int(np.argmax([miou(matrix) for matrix in matrices])) / LEVELS
