"""A folder of CAMs against the masks, at every threshold."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import LEVELS, read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import scores
from acr_lightning.metrics.folder_scores import total
from acr_lightning.metrics.threshold_sweep import ThresholdSweep


def cam_scores(cams: Path, dataset: TaggedDataset, ids: list[str]) -> list[dict[str, Any]]:
    """Scores of a folder of CAMs against the masks of these ids, in per cent (see `confusion.scores`).

    Returns:
        A row for each level, 0 to 255; its `threshold` is `level / 255`.

    Raises:
        UserError: see `sweep_cams`.
    """
    names, matrices = ["background", *dataset.class_names], sweep_cams(cams, dataset, ids).confusion()
    return [{"threshold": level / LEVELS, **scores(matrix, names)} for level, matrix in enumerate(matrices)]


def sweep_cams(cams: Path, dataset: TaggedDataset, ids: list[str]) -> ThresholdSweep:
    """Count a folder of CAMs against the masks of these ids.

    Raises:
        UserError: an id has no mask, or a CAM is missing, damaged, or not of its mask's size.
    """
    sweep = ThresholdSweep(dataset.num_classes + 1)
    total(partial(_count, cams=cams, dataset=dataset), ids, sweep.counts)
    return sweep


def _count(ids: list[str], cams: Path, dataset: TaggedDataset) -> NDArray[np.int64]:
    sweep = ThresholdSweep(dataset.num_classes + 1)
    for image_id in ids:
        mask = dataset.mask(image_id)
        if mask is None:
            raise UserError(f"{image_id}: no mask to score with; set dataset.masks")
        cam = read_cam(item_path(cams, image_id, ".npz"), dataset.num_classes, mask.shape)
        sweep.update(mask, cam.classes, cam.levels)
    return sweep.counts
