"""Stage affinity_labels."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.classes.bounded import ClosedUnitInterval, PositiveInt
from acr_lightning.stages.missing_results import make_missing
from acr_lightning.stages.refiner_check import check_refiner

HELP = """what is certain in the CAMs, as labels to learn affinity from

Reads `cam/cams/` and the photos of the split `train`. Writes `affinity_labels/labels/<id>.png` (255 where two
backgrounds disagree).
"""
LABELS = "labels"


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {"output": str(folder / LABELS)}


def main(job: Job) -> dict[str, Any]:
    """Make the labels that are not there yet; returns counts for the manifest."""
    from acr_lightning.chain.function_section import run_function

    counts: dict[str, Any] = run_function(affinity_labels, job.section)
    return counts


def affinity_labels(
    dataset: Any,
    cams: str,
    output: str,
    strong_threshold: ClosedUnitInterval | Literal["auto"] | None = None,
    strong_alpha: float | None = None,
    weak_threshold: ClosedUnitInterval | Literal["auto"] | None = None,
    weak_alpha: float | None = None,
    refiner: str | dict[str, Any] = "soft_cam",
    workers: PositiveInt | None = None,
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
        refiner: what sharpens both: see `acr label --help`.
        workers: processes; null takes all cores. Changes speed only.
    """
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import is_whole
    from acr_lightning.errors import UserError
    from acr_lightning.labels.choose_threshold import automatic_thresholds
    from acr_lightning.labels.confident_label import BackgroundScore
    from acr_lightning.labels.refiner import build_refiner

    results = {image_id: item_path(output, image_id, ".png") for image_id in dataset.ids("train")}
    low, high = 0.0, 0.0
    if "auto" in (strong_threshold, weak_threshold):
        low, high = automatic_thresholds(item_path(cams, image_id, ".npz") for image_id in results)
    strong = BackgroundScore(high if strong_threshold == "auto" else strong_threshold, strong_alpha)
    weak = BackgroundScore(low if weak_threshold == "auto" else weak_threshold, weak_alpha)
    for name, score in (("strong", strong), ("weak", weak)):
        if (score.threshold is None) == (score.alpha is None):
            raise UserError(f"affinity_labels: give either {name}_threshold or {name}_alpha; set the other to null")
    work = partial(
        _label_one, dataset=dataset, cams=Path(cams), labels=Path(output), strong=strong, weak=weak,
        refiner=build_refiner(refiner, "affinity_labels.refiner"),
    )  # fmt: skip
    make_missing(work, results, is_whole, workers, "affinity labels")
    return {"labels": len(results), "strong": strong._asdict(), "weak": weak._asdict()}


def _label_one(image_id: str, dataset: Any, cams: Path, labels: Path, strong: Any, weak: Any, refiner: Any) -> None:
    """One photo's label, from file to file."""
    from acr_lightning.artefacts.cam_file import read_cam
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import write_mask
    from acr_lightning.labels.confident_label import confident_label

    image = dataset.image(image_id)
    cam = read_cam(item_path(cams, image_id, ".npz"), dataset.num_classes, image.shape[:2])
    result = confident_label(image, cam.classes, cam.scores, strong, weak, refiner)
    write_mask(item_path(labels, image_id, ".png"), result)


AFFINITY_LABELS = Stage(
    "affinity_labels",
    HELP,
    main,
    defaults,
    reads={"cams": ("cam",)},
    writes=LABELS,
    function=affinity_labels,
    choice="affinity",
    check=check_refiner("affinity_labels.refiner"),
)
