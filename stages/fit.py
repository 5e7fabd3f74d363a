"""Stage fit."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.errors import UserError
from acr_lightning.stages.checks import check_batch
from acr_lightning.stages.trainer import train, trainer_defaults

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
        "data": {"class_path": "TaggedCrops", "init_args": {}},
        "trainer": trainer_defaults(folder, max_epochs=40),
    }


def main(job: Job) -> dict[str, Any]:
    """Train, or go on where a killed run stopped; returns counts for the manifest."""
    from acr_lightning.methods.acr.monitor import ReconstructionMonitor

    return train(job, [ReconstructionMonitor(job.folder / "monitor")])


def check(name: str, values: Section, devices: int) -> None:
    """Refuse a crop that the decoder cannot halve, and a batch that cannot be shared.

    Raises:
        UserError: with what to change.
    """
    check_batch(name, values, devices)
    model, data = values["model"], values["data"]
    side = next((key for key in ("crop", "size") if key in data), None)
    if "reconstructor" not in model or side is None or model.get("strategy") == "baseline":
        return
    decoder = model["reconstructor"].get("init_args", {})
    if not {"depth", "stride"} <= decoder.keys():
        return
    multiple = 2 ** decoder["depth"] * decoder["stride"]
    if data[side] % multiple:
        raise UserError(
            f"fit.data.{side}: {data[side]} is not a multiple of {multiple}; change {side}, "
            "fit.model.reconstructor.depth or fit.model.reconstructor.stride (2**depth · stride)"
        )


FIT = Stage("fit", HELP, defaults, main, writes=CHECKPOINT, check=check)
