"""What the two training stages share: loggers, checkpoints, and going on after a kill."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import CHECKPOINT


def defaults(folder: Path) -> dict[str, Any]:
    """Trainer options of a training stage: CSV always, W&B offline unless asked otherwise."""
    return {
        "accelerator": "auto",
        "devices": "auto",
        "log_every_n_steps": 10,
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
                    "offline": True,
                },
            },
        ],
    }


def fit(section: dict[str, Any], folder: Path, more_callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """Train to `max_epochs`, from the last checkpoint if there is one."""
    from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar

    from acr_lightning.cli.trainer_cli import TrainerCLI
    from acr_lightning.training.interval_checkpoint import IntervalCheckpoint
    from acr_lightning.training.step_seed import StepSeed

    checkpoint = folder / CHECKPOINT
    callbacks = [
        StepSeed(),
        RichProgressBar(leave=True),
        IntervalCheckpoint(checkpoint),
        *more_callbacks,
        # One file, overwritten (by renaming) after every epoch.
        ModelCheckpoint(folder, filename=checkpoint.stem, save_on_train_epoch_end=True, enable_version_counter=False),
    ]
    cli = TrainerCLI(section, callbacks)
    cli.trainer.fit(cli.model, cli.datamodule, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
    cli.require_not_stopped()
    return {"epochs": cli.trainer.current_epoch, "photos": len(cli.datamodule.dataset.ids("train"))}
