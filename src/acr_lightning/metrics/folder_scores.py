"""Any folder of predictions against any folder of masks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.data.id_list import read_ids
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import confusion


def score_folders(
    predictions: Path, masks: Path, num_classes: int | None = None, id_list: Path | None = None
) -> NDArray[np.int64]:
    """Count a folder of label maps against a folder of masks.

    Args:
        predictions: folder of `<id>.png`, 0 background, 1..K.
        masks: folder of `<id>.png`, 0 background, 1..K, 255 not scored.
        num_classes: K; None takes the highest label that occurs on either side.
        id_list: the ids to score, one a line; None takes every mask.

    Returns:
        The confusion matrix `[K + 1, K + 1]`.

    Raises:
        UserError: a file is missing or damaged, sizes differ, or a value is no label.
    """
    for folder in (predictions, masks):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder")
    ids = read_ids(id_list) if id_list else _ids_of(masks)
    if not ids:
        raise UserError(f"{masks}: holds no mask (<id>.png)")
    num_labels = IGNORE if num_classes is None else num_classes + 1

    def mask_of(image_id: str) -> NDArray[np.uint8]:
        return read_mask(item_path(masks, image_id, ".png"), num_labels)

    counts = count_folder(predictions, ids, mask_of, num_labels)
    if num_classes is None:
        labels = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
        num_labels = int(labels.max(initial=0)) + 1
    return counts[:num_labels, :num_labels]


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
        mask_of: gives the mask of an id, 255 not scored.
        num_labels: K + 1.
        ignored: the label that 255 is scored as; None refuses 255.

    Raises:
        UserError: a label map is missing, damaged, not of its mask's size, or holds a value that is no label.
    """
    require_files(predictions, ids)
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


def _ids_of(masks: Path) -> list[str]:
    """The ids of all masks of a folder.

    Raises:
        UserError: a PNG would be left out, since its name ends in `.PNG`.
    """
    paths = sorted(path for path in masks.rglob("*") if path.suffix.lower() == ".png")
    for path in paths:
        if path.suffix != ".png":
            raise UserError(f"{path}: would be left out; let its name, and its prediction's, end in .png")
    return [path.relative_to(masks).with_suffix("").as_posix() for path in paths]


def require_files(folder: Path, ids: list[str]) -> None:
    """Check that a folder holds `<id>.png` for every id.

    Raises:
        UserError: some are missing; the first five are named.
    """
    missing = [image_id for image_id in ids if not item_path(folder, image_id, ".png").is_file()]
    if missing:
        names = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise UserError(f"{folder}: {len(missing)} of {len(ids)} label maps are missing: {names}")
