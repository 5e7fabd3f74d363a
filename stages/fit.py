"""Stage fit: train the classifier with ACR, from image tags alone.

Reads the `train` split's photos and tags. Writes `fit/last.ckpt` after every epoch, `fit/csv/`
(losses) and `fit/monitor/` (pictures of what the reconstructor paints).
"""

from pathlib import Path
from typing import Any

READS: tuple[str, ...] = ()
ALSO_READS: tuple[str, ...] = ()


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults."""
    from acr_lightning.stages import trainer

    return {
        "seed_everything": 0,
        "model": {
            "class_path": "acr_lightning.methods.acr.module.ACR",
            "init_args": {
                "classifier": {"class_path": "acr_lightning.nets.classifier.CamClassifier", "init_args": {}},
                "reconstructor": {"class_path": "acr_lightning.nets.reconstructor.Reconstructor", "init_args": {}},
            },
        },
        "data": {"class_path": "acr_lightning.data.datamodule.TaggedImages", "init_args": {}},
        "trainer": {**trainer.defaults(run / "fit"), "max_epochs": 40},
    }


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, or go on where a killed run stopped; returns counts for the manifest."""
    from acr_lightning.stages import trainer

    from acr_lightning.methods.acr.monitor import ReconstructionMonitor

    return trainer.fit(section, folder, [ReconstructionMonitor(folder / "monitor")])
