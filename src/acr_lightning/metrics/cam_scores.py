"""A folder of CAMs against the masks, at every threshold."""

from pathlib import Path

from acr_lightning.artefacts.cam_file import read_levels
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.threshold_sweep import ThresholdSweep


def sweep_cams(cams: Path, dataset: TaggedDataset, ids: list[str]) -> ThresholdSweep:
    """Count a folder of CAMs against the masks of these ids.

    Raises:
        UserError: an id has no mask, or a CAM's size is not its mask's.
    """
    sweep = ThresholdSweep(dataset.num_classes + 1)
    for image_id in ids:
        mask = dataset.mask(image_id)
        if mask is None:
            raise UserError(f"{image_id}: no mask to score with; set dataset.masks")
        classes, levels = read_levels(cams / f"{image_id}.npz")
        if levels.shape[1:] != mask.shape:
            raise UserError(f"{cams / image_id}.npz: CAM {levels.shape[1:]} and mask {mask.shape} differ in size")
        sweep.update(mask, classes, levels)
    return sweep
