"""What the inference stages share: photos without a result are spread over the devices, the others left out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section
from acr_lightning.errors import UserError
from acr_lightning.stages.progress_bar import progress_bar


def inference_defaults(folder: Path) -> dict[str, Any]:
    """Trainer options of an inference stage."""
    return {
        "accelerator": "auto",
        "devices": "auto",
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "default_root_dir": str(folder),
    }


def check_scales(name: str, values: Section) -> None:
    """Refuse a stage's inference at no scale.

    Raises:
        UserError: its key.
    """
    if not values["model"].get("scales", True):
        raise UserError(f"{name}.model.scales: is empty; give factors of the photo's size, such as [1.0]")


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
    cli = TrainerCLI(job.section, [writer, StopOnSignal(), *progress_bar(job.section)])
    if cli.datamodule.leave_out(results, suffix, is_whole):
        cli.trainer.predict(cli.model, cli.datamodule, return_predictions=False)
        cli.require_not_stopped()
        # Lightning's first process does not wait for the others, and whoever reads its manifest takes all to be there.
        cli.trainer.strategy.barrier("results are written")
    counts = {"photos": len(cli.datamodule.ids)}
    if len(cli.datamodule.own) < len(cli.datamodule.ids):
        counts["left"] = sum(not item_path(results, image_id, suffix).exists() for image_id in cli.datamodule.ids)
    return counts
