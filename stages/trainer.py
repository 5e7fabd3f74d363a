"""What the training stages share: loggers, checkpoints, and going on after a kill."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Job, Section

log = logging.getLogger(__name__)


def labelled_defaults(model: str, max_epochs: int, folder: Path) -> Section:
    """The section's defaults of a stage that learns from label maps.

    Args:
        model: its class.
        max_epochs: of its training.
        folder: of the stage.
    """
    return {
        "model": {"class_path": model, "init_args": {}},
        "data": {"class_path": "LabelledCrops", "init_args": {"batch_size": 10}},
        "trainer": trainer_defaults(folder, max_epochs),
    }


def trainer_defaults(folder: Path, max_epochs: int) -> dict[str, Any]:
    """Trainer options of a training stage: CSV always, W&B offline unless asked otherwise."""
    return {
        "max_epochs": max_epochs,
        "accelerator": "auto",
        "devices": "auto",
        "log_every_n_steps": 10,
        "enable_model_summary": False,  # `train` logs the one line of it that matters
        "default_root_dir": str(folder),
        "logger": [
            {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": str(folder), "name": "csv"},
            },
            {
                "class_path": "lightning.pytorch.loggers.WandbLogger",
                "init_args": {
                    "save_dir": str(folder),
                    "project": "acr-lightning",
                    "name": f"{folder.parent.name}-{folder.name}",
                    "group": folder.parent.name,
                    "job_type": folder.name,
                    "offline": True,
                },
            },
        ],
    }


def train(job: Job, more_callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """Train to `max_epochs`, from the last checkpoint if there is one; returns counts for the manifest."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    from acr_lightning.chain.trainer_section import TrainerCLI
    from acr_lightning.training.interval_checkpoint import IntervalCheckpoint
    from acr_lightning.training.step_seed import StepSeed
    from acr_lightning.training.time_left import TimeLeft

    checkpoint = job.folder / CHECKPOINT
    callbacks = [
        StepSeed(),
        IntervalCheckpoint(checkpoint),
        TimeLeft(job.folder.name),
        *more_callbacks,
        # One file, overwritten (by renaming) after every epoch.
        ModelCheckpoint(
            job.folder, filename=checkpoint.stem, save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    cli = TrainerCLI(job.section, callbacks)
    cli.require_same_batchnorm()
    sizes = [one.numel() for one in cli.model.parameters() if one.requires_grad]
    total = sum(one.numel() for one in cli.model.parameters())
    log.info("%s: %.1f million parameters, of which %.1f learn", job.folder.name, total / 1e6, sum(sizes) / 1e6)
    try:
        cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
    finally:
        _finish_wandb()
    cli.require_not_stopped()
    return {"epochs": cli.trainer.current_epoch, "photos": len(cli.datamodule.samples())}


def _finish_wandb() -> None:
    """Close W&B's run, which would otherwise wait for the end of the process and take in what comes next."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish()
