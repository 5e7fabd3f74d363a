"""What the inference stages share: photos without a result are spread over the devices, the others left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section

CAMS = "cams"


def inference_defaults(model: str, data: str, splits: list[str], folder: Path) -> Section:
    """The section's defaults of an inference stage.

    Args:
        model: its class.
        data: the class of its photos.
        splits: of the photos.
        folder: of the stage.
    """
    return {
        "model": {"class_path": model, "init_args": {}},
        "data": {"class_path": data, "init_args": {"splits": splits}},
        "trainer": {
            "accelerator": "auto",
            "devices": "auto",
            "logger": False,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "default_root_dir": str(folder),
        },
    }


def infer_cams(job: Job) -> dict[str, Any]:
    """Make the CAMs that are not there yet; returns counts for the manifest."""
    from acr_lightning.artefacts.cam_file import is_whole, write_cam

    return infer(job, job.folder / CAMS, ".npz", write_cam, is_whole)


def infer(
    job: Job, results: Path, suffix: str, write: Callable[..., None], is_whole: Callable[[Path], bool]
) -> dict[str, Any]:
    """Run the section's model over the photos without a whole result; returns counts for the manifest.

    Args:
        job: of the stage.
        results: the folder of the files.
        suffix: of their names.
        write: writes a file (see `ResultWriter`).
        is_whole: whether a file is one that needs no writing.
    """
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.chain.trainer_section import TrainerCLI
    from acr_lightning.training.result_writer import ResultWriter
    from acr_lightning.training.stop_on_signal import StopOnSignal

    writer = ResultWriter(results, suffix, write)
    cli = TrainerCLI(job.section, [writer, StopOnSignal()])
    if cli.datamodule.leave_out(results, suffix, is_whole):
        cli.trainer.predict(cli.model, cli.datamodule, return_predictions=False)
        cli.require_not_stopped()
        # Lightning's first process does not wait for the others, and whoever reads its manifest takes all to be there.
        cli.trainer.strategy.barrier("results are written")
    counts = {"photos": len(cli.datamodule.ids)}
    if len(cli.datamodule.own) < len(cli.datamodule.ids):
        counts["left"] = sum(not item_path(results, image_id, suffix).exists() for image_id in cli.datamodule.ids)
    return counts
