"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from skimage.filters import threshold_multiotsu

from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.artefacts.cam_histogram import histogram
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.metrics.cam_scores import cam_scores

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


def oracle_threshold(cams: Path, dataset: TaggedDataset) -> float:
    """The threshold with the best mIoU on the masks of the split `seed`."""
    log.warning("label: threshold oracle reads the masks of the split seed")
    ids = dataset.ids("seed")
    dataset.make_masks(ids)
    return float(max(cam_scores(cams, dataset, ids), key=lambda row: float(row["miou"]))["threshold"])
