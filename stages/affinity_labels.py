"""Stage affinity_labels."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

from acr_lightning.chain.stage import Stage
from acr_lightning.classes.bounded import ClosedUnitInterval, PositiveInt
from acr_lightning.stages.label import check_refiner
from acr_lightning.stages.photo_labels import PhotoLabels, make_labels

HELP = """what is certain in the CAMs, as labels to learn affinity from

Reads `cam/cams/` and the photos of the split `train`. Writes `affinity_labels/labels/<id>.png` (255 where two
backgrounds disagree).
"""
LABELS = "labels"


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
    shard: str | None = None,
    verify: bool = False,
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
        shard: `3/16` does the third of sixteen parts, one for each job of an array; null does all photos.
        verify: read the labels that are there already to their end, and make damaged ones again.
    """
    from acr_lightning.errors import UserError
    from acr_lightning.labels.choose_threshold import automatic_thresholds
    from acr_lightning.labels.confident_label import BackgroundScore
    from acr_lightning.labels.refiner import build_refiner

    ids = dataset.ids("train")
    low, high = 0.0, 0.0
    if "auto" in (strong_threshold, weak_threshold):
        low, high = automatic_thresholds(Path(cams), ids, 3)
    strong = BackgroundScore(high if strong_threshold == "auto" else strong_threshold, strong_alpha)
    weak = BackgroundScore(low if weak_threshold == "auto" else weak_threshold, weak_alpha)
    for name, score in (("strong", strong), ("weak", weak)):
        if (score.threshold is None) == (score.alpha is None):
            raise UserError(f"affinity_labels: give either {name}_threshold or {name}_alpha; set the other to null")
    sure = partial(_sure, strong=strong, weak=weak, refiner=build_refiner(refiner, "affinity_labels.refiner"))
    labels = PhotoLabels(sure, dataset, Path(cams), Path(output))
    rest = make_labels(labels, ids, shard, verify, workers)
    scores = {"strong": strong, "weak": weak}
    parts = {f"{name} {key}": value for name, score in scores.items() for key, value in score._asdict().items()}
    return {"labels": len(ids), **{name: value for name, value in parts.items() if value is not None}, **rest}


def _sure(image: Any, image_id: str, cam: Any, path: Path, **how: Any) -> Any:
    """What is sure in a photo's CAM; see `make_labels`."""
    from acr_lightning.labels.confident_label import confident_label

    return confident_label(image, cam.classes, cam.scores, **how)


AFFINITY_LABELS = Stage(
    "affinity_labels",
    HELP,
    lambda folder: {"output": str(folder / LABELS)},
    reads={"cams": ("cam",)},
    writes=LABELS,
    function=affinity_labels,
    choice="affinity",
    check=check_refiner,
)
