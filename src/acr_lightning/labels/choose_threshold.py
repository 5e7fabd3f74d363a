"""The background threshold of a folder of CAMs: without masks, or (said so) with them."""

import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_multiotsu

from acr_lightning.artefacts.cam_file import LEVELS, read_cam
from acr_lightning.artefacts.cam_histogram import histogram
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.cam_scores import cam_scores
from acr_lightning.metrics.threshold_sweep import ThresholdSweep
from acr_lightning.system.pool import map_in_pool

# Of the bootstrap; photos whose counts are added up at once, and how many are counted sooner than a pool starts.
RESAMPLES, BLOCK, FEW = 1000, 256, 64
log = logging.getLogger(__name__)


def automatic_thresholds(cams: Path, ids: Sequence[str], parts: int) -> list[float]:
    """Otsu's thresholds over the winning score of every pixel of every CAM; no masks.

    Args:
        cams: folder of CAM files.
        ids: of the photos.
        parts: that the scores are split into: 2, or 3 for sure background, what is between, and a sure class.

    Returns:
        In `[0, 1]`, ascending, the highest score of each part but the last; a tie goes to the background.
    """
    counts = histogram(cams, ids)
    if np.count_nonzero(counts) < parts:  # nothing to split
        return [level / LEVELS for level in range(1, parts)]
    return [int(level) / LEVELS for level in threshold_multiotsu(hist=counts, classes=parts)]


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
    generator = np.random.default_rng(0)
    picks = (np.bincount(generator.integers(len(ids), size=len(ids)), minlength=len(ids)) for _ in range(RESAMPLES))
    weights = np.stack([np.ones(len(ids), np.uint16), *(one.astype(np.uint16) for one in picks)])
    best, *thresholds = (_best_level(*counts) / LEVELS for counts in _weighted_sums(cams, dataset, ids, weights))
    low, high = np.quantile(thresholds, [0.025, 0.975])
    return ChosenThreshold(best, float(low), float(high), len(ids))


def _weighted_sums(
    cams: Path, dataset: TaggedDataset, ids: Sequence[str], weights: NDArray[np.uint16]
) -> NDArray[np.float64]:
    """Of R weights of N photos, `[R, N]`: hits, and union and hits, by level and label, `[R, 2, 256, K + 1]`."""
    sums = np.zeros((len(weights), 2 * (LEVELS + 1) * (dataset.num_classes + 1)))  # whole numbers, exact up to 2^53
    counts = map_in_pool(partial(_by_label, cams=cams, dataset=dataset), ids, "threshold", few=FEW)
    for start, block in enumerate(iter(lambda: [*islice(counts, BLOCK)], [])):
        dense = np.zeros((len(block), 2, LEVELS + 1, dataset.num_classes + 1))
        for photo, (labels, own) in zip(dense, block, strict=True):
            photo[..., labels] = own
        sums += weights[:, start * BLOCK :][:, : len(block)].astype(float) @ dense.reshape(len(block), -1)
    return sums.reshape(len(weights), 2, LEVELS + 1, -1)


def _by_label(image_id: str, cams: Path, dataset: TaggedDataset) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """The labels in a photo's mask or tags, `[P]`, and of those hits, and union and hits, `[2, 256, P]`."""
    mask = dataset.mask(image_id)
    assert mask is not None  # it is a scored one
    cam = read_cam(item_path(cams, image_id, ".npz"), dataset.num_classes, mask.shape)
    labels = np.unique([0, *(cam.classes + 1), *np.unique(mask[mask != IGNORE])])
    places = np.full(IGNORE + 1, IGNORE)
    places[labels] = range(len(labels))
    sweep = ThresholdSweep(len(labels))
    sweep.update(places[mask].astype(np.uint8), places[cam.classes + 1] - 1, cam.levels)
    matrices = sweep.confusion()
    hits, both = matrices.diagonal(axis1=1, axis2=2), matrices.sum(axis=1) + matrices.sum(axis=2)
    return labels, np.stack([hits, both]).astype(np.uint32)  # half as large on its way here


def _best_level(hits: NDArray[np.float64], both: NDArray[np.float64]) -> int:
    """The level of the best mIoU, over the labels that there are, from `[256, K + 1]`; the lowest of several."""
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
