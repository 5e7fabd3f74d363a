"""A folder of CAMs against the masks, at every threshold and several background exponents."""

from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.cam_file import LEVELS, read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import scores
from acr_lightning.metrics.threshold_sweep import ThresholdSweep

# Of the background score `(1 − max CAM)^α`; the releases' 4 to 32 among them.
EXPONENTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


class CamCurves(NamedTuple):
    """Scores of a folder of CAMs, in per cent (see `confusion.scores`).

    Attributes:
        thresholds: a row for each level, 0 to 255; `threshold` is `level / 255`.
        exponents: a row for each of `EXPONENTS`, with `alpha` and the `threshold` that is the same.
    """

    thresholds: list[dict[str, Any]]
    exponents: list[dict[str, Any]]

    @property
    def best(self) -> dict[str, Any]:
        """The row of the best threshold, which takes the masks to know."""
        return max(self.thresholds, key=lambda row: row["miou"])

    def brief(self) -> dict[str, list[dict[str, Any]]]:
        """Both curves without the scores of each class."""
        keys = ("alpha", "threshold", "miou", "precision", "recall")
        return {
            name: [{key: row[key] for key in keys if key in row} for row in rows]
            for name, rows in self._asdict().items()
        }


def cam_curves(cams: Path, dataset: TaggedDataset, ids: list[str]) -> CamCurves:
    """Both curves from one reading of the files (see `sweep_cams` for the errors)."""
    sweep = sweep_cams(cams, dataset, ids)
    names = ["background", *dataset.class_names]
    rows = [{"threshold": level / LEVELS, **scores(matrix, names)} for level, matrix in enumerate(sweep.confusion())]
    return CamCurves(rows, [{"alpha": alpha, **rows[sweep.level_of(alpha)]} for alpha in EXPONENTS])


def sweep_cams(cams: Path, dataset: TaggedDataset, ids: list[str]) -> ThresholdSweep:
    """Count a folder of CAMs against the masks of these ids.

    Raises:
        UserError: an id has no mask, or a CAM is missing, damaged, or not of its mask's size.
    """
    sweep = ThresholdSweep(dataset.num_classes + 1)
    for image_id in ids:
        mask = dataset.mask(image_id)
        if mask is None:
            raise UserError(f"{image_id}: no mask to score with; set dataset.masks")
        cam = read_cam(item_path(cams, image_id, ".npz"), dataset.num_classes, mask.shape)
        sweep.update(mask, cam.classes, cam.levels)
    return sweep
