"""Stage fit."""

from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.stages.trainer import CHECKPOINT, train, trainer_defaults

HELP = """train the classifier with ACR, from image tags alone

Reads the `train` split's photos and tags. Writes `fit/last.ckpt` after every epoch, `fit/csv/` (losses) and
`fit/monitor/` (pictures of what the reconstructor paints).
"""


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {
        "model": {
            "class_path": "ACR",
            "init_args": {
                "classifier": {"class_path": "CamClassifier", "init_args": {}},
                "reconstructor": {"class_path": "Reconstructor", "init_args": {}},
            },
        },
        "data": {"class_path": "TaggedImages", "init_args": {}},
        "trainer": {**trainer_defaults(folder), "max_epochs": 40},
    }


def main(job: Job) -> dict[str, Any]:
    """Train, or go on where a killed run stopped; returns counts for the manifest."""
    from acr_lightning.methods.acr.monitor import ReconstructionMonitor

    return train(job, [ReconstructionMonitor(job.folder / "monitor")])


FIT = Stage("fit", HELP, main, defaults, writes=CHECKPOINT)
