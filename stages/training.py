"""The stages that train a network, and what they share: loggers, checkpoints, and going on after a kill."""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.artefacts.review_file import REJECTED
from acr_lightning.chain.stage import Job, Section, Stage, node
from acr_lightning.chain.values import get_value
from acr_lightning.errors import UserError

log = logging.getLogger(__name__)


def fit_defaults(folder: Path) -> Section:
    """The section's defaults of stage `fit`."""
    model = node("ACR", classifier=node("CamClassifier"), reconstructor=node("Reconstructor"))
    return {"model": model, "data": node("TaggedCrops"), "trainer": trainer_defaults(folder, max_epochs=40)}


def labelled_defaults(model: str, max_epochs: int, folder: Path) -> Section:
    """The section's defaults of a stage that learns from label maps."""
    data = node("LabelledCrops", batch_size=10)
    return {"model": node(model), "data": data, "trainer": trainer_defaults(folder, max_epochs)}


def trainer_defaults(folder: Path, max_epochs: int) -> dict[str, Any]:
    """Trainer options of a training stage: CSV always, W&B offline unless asked otherwise."""
    run, name = folder.parent.name, folder.name
    return {
        "max_epochs": max_epochs,
        "log_every_n_steps": 10,
        "benchmark": True,  # cuDNN tries its kernels once, since crops have one size
        "enable_model_summary": False,  # `train` logs the one line of it that matters
        "default_root_dir": str(folder),
        "logger": [
            node("lightning.pytorch.loggers.CSVLogger", save_dir=str(folder), name="csv"),
            node(
                "lightning.pytorch.loggers.WandbLogger",
                save_dir=str(folder), project="acr-lightning", name=f"{run}-{name}", group=run, job_type=name,
                offline=True,
            ),
        ],
    }  # fmt: skip


def fit(job: Job) -> dict[str, Any]:
    """Train the classifier, and keep pictures of what the reconstructor paints; returns counts for the manifest."""
    from acr_lightning.methods.acr.monitor import ReconstructionMonitor

    return train(job, [ReconstructionMonitor(job.folder / "monitor")])


def train(job: Job, more_callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """Train to `max_epochs`, from the last checkpoint if there is one; returns counts for the manifest."""
    from lightning.pytorch.callbacks import ModelCheckpoint
    from lightning.pytorch.loggers import WandbLogger

    from acr_lightning.chain.trainer_section import build, require_not_stopped, require_same_batchnorm
    from acr_lightning.report.wandb_config import filterable
    from acr_lightning.system.launch import meet
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
    model, data, trainer, config = build(job.section, job.folder.name, callbacks)
    require_same_batchnorm(trainer, model)
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            logger.log_hyperparams(filterable(config))
    sizes = [one.numel() for one in model.parameters() if one.requires_grad]
    total = sum(one.numel() for one in model.parameters())
    log.info("%s: %.1f million parameters, of which %.1f learn", job.folder.name, total / 1e6, sum(sizes) / 1e6)
    meet()
    try:
        trainer.fit(model, data, ckpt_path=str(checkpoint) if checkpoint.exists() else None)
    finally:
        # W&B's run would otherwise wait for the end of the process and take in what comes next.
        if (wandb := sys.modules.get("wandb")) and wandb.run:
            wandb.finish()
    require_not_stopped(trainer)
    return {"epochs": trainer.current_epoch, "photos": len(data.samples()), "batch": data.batch_size}


def check_crop(name: str, values: Section) -> None:
    """Refuse a crop that the decoder cannot halve."""
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
            f"{name}.data.{side}: {data[side]} is not a multiple of {multiple}; change {side}, "
            f"{name}.model.reconstructor.depth or {name}.model.reconstructor.stride (2**depth · stride)"
        )


def check_fit(name: str, values: Section) -> None:
    """Refuse such a crop, and a training that would end before what its method is about begins."""
    check_crop(name, values)
    model, epochs = values["model"], values["trainer"]["max_epochs"]
    keys = [] if model.get("strategy") == "baseline" else ["classifier_epochs", "reconstructor_epochs", "triplet.start"]
    lengths = {f"{name}.model.{key}": get_value(values, ["model", *key.split(".")]) or 0 for key in keys}
    if epochs is not None and 0 < epochs <= sum(lengths.values()):
        before = " and ".join(f"{key} ({length})" for key, length in lengths.items() if length)
        raise UserError(
            f"{name}.trainer.max_epochs: {epochs} epochs end before the method's own loss counts, after {before}; "
            "set more, or fewer before it"
        )


FIT = Stage(
    "fit",
    "train the classifier with ACR, from image tags alone\n\n"
    "Reads the `train` split's photos and tags. Writes `fit/last.ckpt` after every epoch, `fit/csv/` (losses) and\n"
    "`fit/monitor/` (pictures of what the reconstructor paints).\n",
    fit_defaults,
    fit,
    writes=CHECKPOINT,
    check=check_fit,
)
AFFINITY_TRAIN = Stage(
    "affinity_train",
    "learn which pixels belong together\n\n"
    "Reads the `train` split's photos and `affinity_labels/labels/`. Writes `affinity_train/last.ckpt` after every\n"
    "epoch, and `affinity_train/csv/`.\n",
    partial(labelled_defaults, "AffinityLearner", 8),
    train,
    reads={"data.labels": ("affinity_labels",)},
    writes=CHECKPOINT,
    has_classes=False,
    choice="affinity",
)
SEGMENT = Stage(
    "segment",
    "train the segmentation network on the pseudo-labels\n\n"
    "Reads the `train` split's photos, without those that `review.json` rejects, and `label/labels/` (nothing of the\n"
    "chain with `data.labels: masks`). Writes\n"
    "`segment/last.ckpt` after every epoch, and `segment/csv/`.\n",
    partial(labelled_defaults, "Segmenter", 20),
    train,
    reads={"data.labels": ("label",)},
    writes=CHECKPOINT,
    sees_masks=lambda section: bool(section["data"]["init_args"].get("labels") == "masks"),
    obeys=lambda decision: decision.verdict == REJECTED,
)
