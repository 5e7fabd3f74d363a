"""The stages of inference: photos without a result are spread over the devices, the others left out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage, node
from acr_lightning.stages.label import check_refiner

CAMS = "cams"


def inference_defaults(model: str, data: str, splits: list[str], folder: Path) -> Section:
    """The section's defaults of a stage, by its classes and its photos' splits."""
    silent = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    trainer = {**silent, "default_root_dir": str(folder)}
    return {"model": node(model), "data": node(data, splits=splits), "trainer": trainer}


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
    from acr_lightning.chain.trainer_section import build, require_not_stopped
    from acr_lightning.training.result_writer import ResultWriter
    from acr_lightning.training.stop_on_signal import StopOnSignal

    writer = ResultWriter(results, suffix, write)
    model, data, trainer, _ = build(job.section, job.folder.name, [writer, StopOnSignal()])
    if data.leave_out(results, suffix, is_whole):
        trainer.predict(model, data, return_predictions=False)
        require_not_stopped(trainer)
        # Lightning's first process does not wait for the others, and whoever reads its manifest takes all to be there.
        trainer.strategy.barrier("results are written")
    counts = {"photos": len(data.ids)}
    if len(data.own) < len(data.ids):
        counts["left"] = sum(not item_path(results, image_id, suffix).exists() for image_id in data.ids)
    return counts


def evaluate(job: Job) -> dict[str, Any]:
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
            f"{job.folder.parent}: neither CAMs nor a network to evaluate; run `acr cam` or `acr segment` with the "
            "same --config, or `acr run`"
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
        log_to_wandb(job.folder.parent, job.folder, dataset, ids_of(dataset, splits), records)
    return counts


CAM = Stage(
    "cam",
    "the classifier's CAM of every photo\n\n"
    "Reads `fit/last.ckpt` and the photos and tags of the splits `train` and `seed`, with those that `review.json`\n"
    "adds. Writes `cam/cams/<id>.npz`.\n",
    partial(inference_defaults, "CamInference", "TaggedPhotos", ["train", "seed"]),
    infer_cams,
    reads={"model.checkpoint": ("fit",)},
    writes=CAMS,
    splits=(),
    obeys=lambda decision: decision.added,
)
AFFINITY_WALK = Stage(
    "affinity_walk",
    "spread the CAMs by a random walk\n\n"
    "Reads `cam/cams/` and `affinity_train/last.ckpt`. Writes `affinity_walk/cams/<id>.npz`, from which `label` then\n"
    "makes its labels.\n",
    partial(inference_defaults, "AffinityWalk", "TaggedPhotos", ["train", "seed"]),
    infer_cams,
    reads={"model.checkpoint": ("affinity_train",), "model.cams": ("cam",)},
    writes=CAMS,
    choice="affinity",
    splits=(),
)
EVALUATE = Stage(
    "evaluate",
    "the network's predictions, and every score: CAMs at all thresholds, pseudo-labels, network\n\n"
    "Reads `cam/cams/`, `label/labels/` and `segment/last.ckpt`, each if its stage was done. Writes\n"
    "`evaluate/predictions/<id>.png`, `evaluate/scores.json`, `scores.csv`, `scores.md` and, in pixels,\n"
    "`evaluate/confusion_*.csv`; without masks nothing is scored. Where the training was logged to W&B, a W&B run of\n"
    "its group gets the same.\n",
    partial(inference_defaults, "NetworkInference", "UntaggedPhotos", ["val"]),
    evaluate,
    reads={"model.checkpoint": ("segment",)},
    also_reads=("cam", "affinity_walk", "label", "segment"),
    check=lambda name, values: check_refiner(f"{name}.model", values["model"]),
    splits=("seed",),
    reads_tags=False,
    sees_masks=lambda section: True,
)
