"""Stage evaluate."""

from functools import partial
from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.stages.checks import check_refiner, check_scales
from acr_lightning.stages.photo_inference import infer, inference_defaults

HELP = """the network's predictions, and every score: CAMs at all thresholds, pseudo-labels, network

Reads `cam/cams/`, `label/labels/` and `segment/last.ckpt`, each if its stage was done. Writes
`evaluate/predictions/<id>.png`, `evaluate/scores.json`, `scores.csv`, `scores.md` and `evaluate/confusion_*.csv`
(pixels); without masks nothing is scored. Where the training was logged to W&B, a W&B run of its group gets the same.
"""


def main(job: Job) -> dict[str, Any]:
    """Predict what is not there yet, then score; returns counts for the manifest."""
    from acr_lightning.artefacts.palette import is_whole, write_mask
    from acr_lightning.chain.runner import is_first_process
    from acr_lightning.classes.class_names import build
    from acr_lightning.data.tagged import TaggedDataset
    from acr_lightning.errors import UserError
    from acr_lightning.report.run_scores import ids_of, score_run
    from acr_lightning.report.wandb_scores import log_to_wandb

    counts: dict[str, Any] = {}
    if not {"cam", "segment"} & job.inputs.keys():
        raise UserError(
            f"{job.run}: neither CAMs nor a network to evaluate; run `acr cam` or `acr segment` with the same "
            "--config, or `acr run`"
        )
    if Path(job.section["model"]["init_args"]["checkpoint"]).is_file():
        counts = infer(job, job.folder / "predictions", ".png", write_mask, is_whole)
        if counts.get("left"):
            return counts
    if is_first_process():
        data = job.section["data"]["init_args"]
        dataset, splits = build(data["dataset"], "dataset", TaggedDataset), data.get("splits", ["val"])
        records = score_run(job.inputs, dataset, splits, job.folder)
        counts["scores"] = len(records)
        log_to_wandb(job.run, job.folder, dataset, ids_of(dataset, splits), records)
    return counts


def check(name: str, values: Section, devices: int) -> None:
    """Refuse inference at no scale, and a refiner that cannot be made."""
    check_scales(name, values, devices)
    check_refiner(f"{name}.model", values["model"], devices)


EVALUATE = Stage(
    "evaluate",
    HELP,
    partial(inference_defaults, "NetworkInference", "UntaggedPhotos", ["val"]),
    main,
    reads={"model.checkpoint": ("segment",)},
    also_reads=("cam", "affinity_walk", "label", "segment"),
    check=check,
    splits=("seed",),
    reads_tags=False,
    sees_masks=lambda section: True,
)
