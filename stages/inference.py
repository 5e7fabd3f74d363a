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
    from acr_lightning.artefacts.cam_file import read_cam, write_cam
    from acr_lightning.artefacts.cam_histogram import CountedCams, add_up
    from acr_lightning.chain.values import data_arguments
    from acr_lightning.classes.class_names import build
    from acr_lightning.data.tagged import TaggedDataset
    from acr_lightning.system.launch import is_first_process

    cams = job.folder / CAMS
    dataset = data_arguments(job.section).get("dataset")
    train = build(dataset, "dataset", TaggedDataset).ids("train") if dataset else []
    counts, ids = infer(job, cams, ".npz", write_cam, read_cam, CountedCams(cams, train))
    if is_first_process() and not counts.get("left"):
        add_up(cams, ids, sorted(set(train) & set(ids)))
    return counts


def infer(
    job: Job,
    results: Path,
    suffix: str,
    write: Callable[..., None],
    read: Callable[[Path], Any],
    count: Any = None,
) -> tuple[dict[str, Any], list[str]]:
    """Run the section's model over the photos without a result; returns counts for the manifest, and all photos' ids.

    Args:
        job: of the stage.
        results: the folder of the files.
        suffix: of their names.
        write: writes a file (see `ResultWriter`).
        read: reads one, a UserError where it is not whole; called where the data's `verify` is true.
        count: what counts them, too (see `ResultWriter`).
    """
    from acr_lightning.artefacts.item_path import without_file
    from acr_lightning.chain.trainer_section import build, require_not_stopped
    from acr_lightning.stages.pool_inference import predict_in_pool
    from acr_lightning.system.launch import meet
    from acr_lightning.system.pool import uses_cluster
    from acr_lightning.training.result_writer import ResultWriter
    from acr_lightning.training.stop_on_signal import StopOnSignal

    writer = ResultWriter(results, suffix, write, count=count)
    model, data, trainer, _ = build(job.section, job.folder.name, [writer, StopOnSignal()])
    if data.leave_out(results, suffix, read) and uses_cluster():
        predict_in_pool(job, data.left, writer)
    elif data.left:
        meet()
        trainer.predict(model, data, return_predictions=False)
        require_not_stopped(trainer)
        # Lightning's first process does not wait for the others, and whoever reads its manifest takes all to be there.
        trainer.strategy.barrier("results are written")
    counts = {"photos": len(data.ids)}
    if len(data.own) < len(data.ids):
        counts["left"] = len(without_file(results, data.ids, suffix))
    return counts, data.ids


def evaluate(job: Job) -> dict[str, Any]:
    """Predict what is not there yet, then score; returns counts for the manifest."""
    from acr_lightning.artefacts.palette import read_mask, write_mask
    from acr_lightning.classes.class_names import build
    from acr_lightning.data.tagged import TaggedDataset
    from acr_lightning.errors import UserError
    from acr_lightning.report.run_scores import ids_of, score_run
    from acr_lightning.report.wandb_scores import log_to_wandb
    from acr_lightning.system.launch import is_first_process

    counts: dict[str, Any] = {}
    if not {"cam", "segment"} & job.inputs.keys():
        raise UserError(
            f"{job.folder.parent}: neither CAMs nor a network to evaluate; run `acr cam` or `acr segment` with the "
            "same --config, or `acr run`"
        )
    if Path(job.section["model"]["init_args"]["checkpoint"]).is_file():
        counts, _ = infer(job, job.folder / "predictions", ".png", write_mask, read_mask)
        if counts.get("left"):
            return counts
    if is_first_process():
        data = job.section["data"]["init_args"]
        dataset, splits = build(data["dataset"], "dataset", TaggedDataset), data.get("splits", ["val"])
        records = score_run(job.inputs, dataset, splits, job.folder)
        counts |= {"scores": len(records)} if records else {}
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
