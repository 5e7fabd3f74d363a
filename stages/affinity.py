"""Stage affinity (only where an experiment chooses a preset): learn which pixels belong together, and walk the CAMs.

Three parts, each with a manifest of its own, so that another `walk.model.beta` trains nothing again:
`labels` reads `cam/cams/` and the photos, writes `affinity/labels/<id>.png` (255 where two CRFs disagree);
`train` reads those, writes `affinity/train/last.ckpt` after every epoch;
`walk` reads `cam/cams/` and the network, writes `affinity/cams/<id>.npz`, from which `label` then makes its labels.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

READS: tuple[str, ...] = ("cam",)
ALSO_READS: tuple[str, ...] = ()
# The parts of the section, in order, and the folder of each.
PARTS = {"labels": "labels", "train": "train", "walk": "cams"}


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults; a preset's values come on top (`affinity_presets`)."""
    from acr_lightning.stages import inference, trainer

    folder, cams = run / "affinity", str(run / "cam" / "cams")
    return {
        "preset": None,
        "labels": {"cams": cams, "output": str(folder / "labels")},
        "train": {
            "seed_everything": 0,
            "model": {"class_path": "acr_lightning.affinity.module.AffinityLearner", "init_args": {}},
            "data": {
                "class_path": "acr_lightning.data.datamodule.PseudoLabels",
                "init_args": {"labels": str(folder / "labels")},
            },
            "trainer": {**trainer.defaults(folder / "train"), "max_epochs": 8},
        },
        "walk": {
            "seed_everything": 0,
            "model": {
                "class_path": "acr_lightning.affinity.inference.AffinityWalk",
                "init_args": {"checkpoint": str(folder / "train" / "last.ckpt"), "cams": cams},
            },
            "data": {"class_path": "acr_lightning.data.datamodule.TaggedPhotos", "init_args": {}},
            "trainer": inference.defaults(folder / "cams"),
        },
    }


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do the parts that are not done; returns counts for the manifest."""
    from acr_lightning.artefacts import manifest

    read = (manifest.read(folder) or {}).get("inputs", {})
    label_counts, labels_digest = _part("labels", _make_labels, section, folder, read)
    train_counts, network_digest = _part("train", _train, section, folder, {**read, "labels": labels_digest})
    walk_counts, _ = _part("walk", _walk, section, folder, {**read, "train": network_digest})
    return {"preset": section["preset"], **label_counts, **train_counts, **walk_counts}


def _part(
    name: str,
    work: Callable[[dict[str, Any], Path], dict[str, Any]],
    section: dict[str, Any],
    folder: Path,
    read: dict[str, str],
) -> tuple[dict[str, Any], str]:
    """Do a part unless its manifest says that it is done; its counts, and the digest of what it made them from."""
    import copy
    import sys

    from acr_lightning.artefacts import manifest
    from acr_lightning.cli.stage import is_first_process

    own, target, run = section[name], folder / PARTS[name], folder.parent
    digest = manifest.digest(own, read, run)
    if manifest.is_done(target, digest):
        print(f"affinity.{name}: done before", file=sys.stderr, flush=True)
        return (manifest.read(target) or {})["counts"], digest
    if is_first_process():
        moved = manifest.start(target, f"affinity.{name}", own, read, run)
        if moved:
            print(f"affinity.{name}: the result of another configuration was moved to {moved}", file=sys.stderr)
    counts = work(copy.deepcopy(own), target)  # parsers write into what they are given
    if is_first_process():
        manifest.finish(target, f"affinity.{name}", own, read, run, counts)
    return counts, digest


def _make_labels(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    from acr_lightning.cli.function_cli import run_function
    from acr_lightning.cli.stage import is_first_process

    counts: dict[str, Any] = run_function(labels, section) if is_first_process() else {}
    return counts


def _train(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    from acr_lightning.stages import trainer

    return {"epochs": trainer.fit(section, folder)["epochs"]}


def _walk(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    from acr_lightning.stages import inference

    from acr_lightning.affinity.inference import WalkWriter
    from acr_lightning.artefacts.cam_file import is_whole

    return inference.predict(section, WalkWriter(folder), folder, ".npz", is_whole)


def labels(
    dataset: Any,
    cams: str,
    output: str,
    strong_threshold: float | Literal["auto"] | None = None,
    strong_alpha: float | None = None,
    weak_threshold: float | Literal["auto"] | None = None,
    weak_alpha: float | None = None,
    crf: Literal["soft_cam", "hard_label", "test_deeplabv2", "test_deeplabv1", "none"] = "soft_cam",
    crf_scale: float = 1.0,
    workers: int | None = None,
) -> dict[str, Any]:
    """Make the label of what is certain in the CAM of every training photo.

    A class is sure where it wins against a strong background score, the background where it wins although its score is
    weak; the rest is 255. Each of the two scores is a constant (threshold) or `(1 − max CAM)^alpha`.

    Args:
        dataset: the photos.
        cams: folder of CAM files.
        output: folder of the result.
        strong_threshold: strong background score (IRN: 0.30, RIB: 0.35); `auto` is the higher of the two thresholds by
            which Otsu splits all CAM scores in three (no masks).
        strong_alpha: its power instead (PSA: 4).
        weak_threshold: weak background score (IRN: 0.05, RIB: 0.17); `auto` is the lower one.
        weak_alpha: its power instead (PSA: 32).
        crf: dense CRF by name; `none` goes without.
        crf_scale: work at this share of the photo's size; 0.5 is four times faster.
        workers: processes; null takes all cores. Changes speed only.
    """
    from acr_lightning.stages.pool import make_missing

    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import is_whole
    from acr_lightning.errors import UserError
    from acr_lightning.labels.choose_threshold import automatic_thresholds
    from acr_lightning.labels.confident_label import BackgroundScore
    from acr_lightning.labels.crf import settings_of

    results = {image_id: item_path(output, image_id, ".png") for image_id in dataset.ids("train")}
    low, high = 0.0, 0.0
    if "auto" in (strong_threshold, weak_threshold):
        low, high = automatic_thresholds(item_path(cams, image_id, ".npz") for image_id in results)
    strong = BackgroundScore(high if strong_threshold == "auto" else strong_threshold, strong_alpha)
    weak = BackgroundScore(low if weak_threshold == "auto" else weak_threshold, weak_alpha)
    for name, score in (("strong", strong), ("weak", weak)):
        if (score.threshold is None) == (score.alpha is None):
            raise UserError(f"affinity.labels: give either {name}_threshold or {name}_alpha; set the other to null")
    work = partial(
        _label_one, dataset=dataset, cams=Path(cams), labels=Path(output), strong=strong, weak=weak,
        crf=settings_of(crf), crf_scale=crf_scale,
    )  # fmt: skip
    make_missing(work, results, is_whole, workers, "affinity labels")
    return {"labels": len(results), "strong": strong._asdict(), "weak": weak._asdict()}


def _label_one(
    image_id: str, dataset: Any, cams: Path, labels: Path, strong: Any, weak: Any, crf: Any, crf_scale: float
) -> None:
    """One photo's label, from file to file."""
    from acr_lightning.artefacts.cam_file import read_cam
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import write_mask
    from acr_lightning.labels.confident_label import confident_label

    cam = read_cam(item_path(cams, image_id, ".npz"))
    image = dataset.image(image_id)
    result = confident_label(image, cam.classes, cam.scores, strong, weak, crf, crf_scale)
    write_mask(item_path(labels, image_id, ".png"), result)
