"""A folder of label maps against masks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import confusion
from acr_lightning.system.pool import map_in_pool

# Photos of which one sum travels; so many parts are counted sooner than a pool of processes starts.
PHOTOS, FEW = 64, 8


def count_folder(
    predictions: Path,
    ids: list[str],
    mask_of: Callable[[str], NDArray[np.uint8] | None],
    num_labels: int,
    ignored: int | None = None,
) -> NDArray[np.int64]:
    """The confusion matrix `[K + 1, K + 1]` of a folder of label maps.

    Args:
        predictions: folder of `<id>.png`.
        ids: of the photos.
        mask_of: gives the mask of an id, 255 not scored; it travels to other processes.
        num_labels: K + 1.
        ignored: the label that 255 is scored as; None refuses 255.

    Raises:
        UserError: a label map is missing, damaged, not of its mask's size, or holds a value that is no label.
    """
    require_files(predictions, ids)
    work = partial(_count, predictions=predictions, mask_of=mask_of, num_labels=num_labels, ignored=ignored)
    return total(work, ids, np.zeros((num_labels, num_labels), np.int64))


def total(
    work: Callable[[list[str]], NDArray[np.int64]], ids: list[str], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The sum of what some work counts in each part of the photos, in a pool of processes, and of `counts`."""
    parts = [ids[start : start + PHOTOS] for start in range(0, len(ids), PHOTOS)]
    for part in map_in_pool(work, parts, "scores", few=FEW):
        counts += part
    return counts


def _count(
    ids: list[str],
    predictions: Path,
    mask_of: Callable[[str], NDArray[np.uint8] | None],
    num_labels: int,
    ignored: int | None,
) -> NDArray[np.int64]:
    counts = np.zeros((num_labels, num_labels), np.int64)
    for image_id in ids:
        mask = mask_of(image_id)
        if mask is None:
            raise UserError(f"{image_id}: no mask to score with; set dataset.masks")
        path = item_path(predictions, image_id, ".png")
        prediction = read_mask(path, num_labels, mask.shape, unknown=ignored is not None)
        if ignored is not None:
            prediction = np.where(prediction == IGNORE, np.uint8(ignored), prediction)
        counts += confusion(mask, prediction, num_labels)
    return counts


def require_files(folder: Path, ids: list[str]) -> None:
    """Check that a folder holds `<id>.png` for every id.

    Raises:
        UserError: some are missing; the first five are named.
    """
    missing = [image_id for image_id in ids if not item_path(folder, image_id, ".png").is_file()]
    if missing:
        names = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise UserError(f"{folder}: {len(missing)} of {len(ids)} label maps are missing: {names}")
