"""An evaluation as a W&B run in the group of the run's trainings: scores, confusion matrices and pictures."""

import csv
import os
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.manifest import TRAINED, part, read, stages_of
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.report.held_out import spread
from acr_lightning.report.learned_from import KEY
from acr_lightning.report.pictures import overlay
from acr_lightning.report.run_scores import CHOSEN_ELSEWHERE, ORACLE, part_scored
from acr_lightning.report.wandb_config import filterable

PICTURES = 16
# Of the names of scores, by how their threshold was chosen.
SUFFIXES = {ORACLE: "_oracle", CHOSEN_ELSEWHERE: "_val"}
# What an evaluation takes over from the logger of the training.
KEPT = ("project", "entity")


def wandb_options(run: Path) -> dict[str, Any] | None:
    """`project`, `entity` and `group` of the run's W&B logger; None where its training had none."""
    folders = stages_of(run)
    folder = next((folders[name] for name in TRAINED if name in folders), None)
    loggers = part(read(folder) if folder else None, "config", "trainer").get("logger")
    for logger in loggers if isinstance(loggers, list) else [loggers]:
        if isinstance(logger, dict) and str(logger.get("class_path")).endswith("WandbLogger"):
            arguments = part(logger, "init_args")
            # A training that was read from another run has that run's group.
            is_own = folder is not None and folder.parent.resolve() == run.resolve()
            texts = {key: value for key, value in arguments.items() if isinstance(value, str)}
            group = texts.get("group", run.name) if is_own else run.name
            return {**{key: texts[key] for key in KEPT if key in texts}, "group": group}
    return None


def log_to_wandb(
    run: Path, folder: Path, dataset: TaggedDataset, ids: list[str], records: list[dict[str, Any]]
) -> None:
    """Log an evaluation, if the run's training was logged to W&B; otherwise nothing is imported.

    Args:
        run: its manifests are the logged configuration, each stage under its name.
        folder: of the evaluation, with `predictions` and `confusion_*.csv`.
        dataset: of the photos, and of masks if it has any.
        ids: of the photos that were predicted; up to 16 of them are shown.
        records: the scores.
    """
    options = wandb_options(run)
    if options is None:
        return
    import wandb

    try:
        evaluation = wandb.init(
            project=options.get("project"),
            entity=options.get("entity"),
            group=options["group"],
            job_type="evaluate",
            name=f"{run.name}-{folder.name}",
            dir=folder,
            # A run may come from a stranger: what its manifest names gets photos only where the user says so.
            mode=None if "WANDB_MODE" in os.environ else "offline",
            config={name: filterable(part(read(path), "config")) for name, path in stages_of(run).items()}
            | {key: value for record in records for key, value in record.items() if key == KEY},
        )
    except Exception as error:  # W&B raises errors of many kinds for what a manifest may name
        reason = str(error).partition("\n")[0]
        raise UserError(f"{run}: W&B does not take what its training was logged with ({reason})") from None
    with evaluation:
        evaluation.log({**values_of(records), **_confusions(folder), **_pictures(folder / "predictions", dataset, ids)})


def values_of(records: list[dict[str, Any]]) -> dict[str, float]:
    """`network/miou`, `network/iou/cat` and the like.

    A CAM's best of all thresholds is `cam_oracle/…`, that of `val` at the same threshold `cam_val/…`.
    """
    values: dict[str, float] = {}
    for record in records:
        what = record["what"].replace(" ", "_") + SUFFIXES.get(record.get("chosen", ""), "")
        what += f"_of_{record['photos']}_photos" if part_scored(record) else ""
        values |= {f"{what}/{key}": record[key] for key in ("miou", "precision", "recall")}
        for label, one in record["classes"].items():
            values |= {f"{what}/{key}/{label}": value for key, value in one.items()}
    return values


def _confusions(folder: Path) -> dict[str, Any]:
    """W&B's confusion matrix, of pixels, for each `confusion_*.csv`."""
    import wandb

    charts = {}
    for path in sorted(folder.glob("confusion_*.csv")):
        [[_, *labels], *rows] = csv.reader(path.read_text().splitlines())
        cells = [
            [true, label, int(pixels)] for true, *counts in rows for label, pixels in zip(labels, counts, strict=True)
        ]
        what = path.stem.removeprefix("confusion_")
        charts[f"{what}/confusion"] = wandb.plot_table(
            "wandb/confusion_matrix/v1",
            wandb.Table(["Actual", "Predicted", "nPredictions"], cells),
            {name: name for name in ("Actual", "Predicted", "nPredictions")},
            {"title": f"{what}: pixels"},
        )
    return charts


def _pictures(folder: Path, dataset: TaggedDataset, ids: list[str]) -> dict[str, Any]:
    """A table of photos at even distances: photo, prediction and, where there is one, mask."""
    import wandb

    rows = []
    for image_id in spread([one for one in ids if item_path(folder, one, ".png").is_file()], PICTURES):
        image = dataset.image(image_id)
        mask = dataset.mask(image_id) if dataset.has_mask(image_id) else None
        arrays = [image, overlay(image, read_mask(item_path(folder, image_id, ".png")))]
        arrays += [] if mask is None else [overlay(image, mask)]
        images = [wandb.Image(one, file_type="jpg") for one in arrays]  # a PNG would count among the stage's label maps
        rows.append([image_id, *images, *([None] if mask is None else [])])
    return {"network/pictures": wandb.Table(["photo id", "photo", "prediction", "mask"], rows)} if rows else {}
