"""Stage label."""

import logging
from functools import partial
from pathlib import Path
from typing import Any, Literal

from acr_lightning.chain.stage import Section, Stage
from acr_lightning.classes.bounded import ClosedUnitInterval, PositiveFloat, PositiveInt
from acr_lightning.stages.photo_labels import PhotoLabels, make_labels, photo_label

HELP = """pseudo-labels from CAMs, by a background score and a refiner (a dense CRF)

Reads `cam/cams/`, or `affinity_walk/cams/` in an experiment with that stage, the photos, and what `review.json` says of
their thresholds and tags. Writes `label/labels/<id>.png` (palette PNG) and `label/threshold.json`.
"""
LABELS = "labels"
log = logging.getLogger(__name__)


def label(
    dataset: Any,
    cams: str,
    output: str,
    threshold: ClosedUnitInterval | Literal["auto", "auto_strong", "masks", "oracle", "walked"] | None = "auto",
    alpha: PositiveFloat | None = None,
    refiner: str | dict[str, Any] = "soft_cam",
    margin: float | None = None,
    smoothing: float | None = None,
    confidence: ClosedUnitInterval | None = None,
    vote: Literal["sepl", "fma"] | None = None,
    proposals: str | None = None,
    workers: PositiveInt | None = None,
    shard: str | None = None,
    verify: bool = False,
    review: str | None = None,
) -> dict[str, Any]:
    """Make a pseudo-label for every CAM.

    Args:
        dataset: the photos (and, for `threshold: masks` and `oracle` only, their masks).
        cams: folder of CAM files.
        output: folder of the result.
        threshold: background score: a number in 0..1, `auto` (Otsu's threshold of all CAM scores, no masks),
            `auto_strong` (the higher of the two by which Otsu splits them in three, no masks: for scores of which many
            are neither an object's nor the background's, as prototypes make them), `masks` (the best for the masks that
            there are, of a few photos or of all, with an interval), `oracle` (the best for the masks of the whole split
            `seed`; both are logged as using masks), `walked` (the score that a walk with `background_alpha` carried
            along), or null to use `alpha`.
        alpha: background score `(1 − max CAM)^alpha`; needs `threshold: null`.
        refiner: what sharpens the scores: a dense CRF by name (`soft_cam`, `hard_label`, `one_class`,
            `test_deeplabv2`, `test_deeplabv1`), `none`, or `class_path` and `init_args`: `DenseCrf` with `preset` and
            `scale` (0.5 is four times faster), or a class of your own.
        margin: pixels whose label is another one with a background score lower or higher by this become 255: nothing
            learns from them, and they are scored as background. The refiner runs twice. null keeps all.
        smoothing: makes PMM's labels (ICCV 2021): each class against the background by itself, its scores raised to
            `1 − smoothing · std/mean`, and overlaps to the class with the larger share of its scores there. The
            refiner runs once for each tag. 0.3 in its release, with alpha 11 and the refiner `one_class`; null makes
            one label of all classes together.
        confidence: pixels whose label has a lower probability after the refiner become 255; null keeps all.
        vote: what proposals do to the label: `sepl`: each goes to the class that it is full of, or that lies in it;
            `fma`: to the class with the highest mean score in it, or to the background, and refiner, threshold and the
            like change nothing. null lets the label alone.
        proposals: folder of their files; null takes those of the run (`--proposals=superpixels` or `sam`).
        workers: processes; null takes all cores. Changes speed only.
        shard: `3/16` does the third of sixteen parts, one for each job of an array; null does all CAMs.
        verify: read the labels that are there already to their end, and make damaged ones again.
        review: file of decisions (`acr review`): thresholds and tags of photos. null takes the run's, if there is one.
    """
    from acr_lightning.artefacts import review_file
    from acr_lightning.artefacts.atomic import write_json
    from acr_lightning.errors import UserError
    from acr_lightning.labels.label_way import LabelWay
    from acr_lightning.labels.refiner import build_refiner

    _require_one_way(threshold, alpha, margin, smoothing)
    if confidence is not None and (margin, smoothing) != (None, None):
        raise UserError("label.confidence: goes with neither margin nor smoothing; set it to null")
    label_refiner = build_refiner(refiner, "label.refiner")
    files = sorted(Path(cams).rglob("*.npz"))
    if not files:
        raise UserError(f"{cams}: no CAM; run `acr {Path(cams).parent.name}` first")
    ids = [path.relative_to(cams).with_suffix("").as_posix() for path in files]
    value, choice = _threshold(threshold, Path(cams), ids, dataset)
    write_json(Path(output) / "threshold.json", {"threshold": value, "chosen": choice, "alpha": alpha})
    decisions = review_file.read(review, dataset.class_names)
    if unknown := decisions.keys() - set(ids):
        log.warning("label: %s decides on %d photos that have no CAM, such as %s", review, len(unknown), min(unknown))
    if decisions:  # what the labels here were made with; the run's file may change
        review_file.write(Path(output) / review_file.NAME, decisions)
    make = partial(
        photo_label, way=LabelWay(value, alpha, label_refiner, margin, smoothing, vote, confidence),
        class_names=dataset.class_names, decisions=decisions,
        proposals=Path(proposals) if vote and proposals else None,
    )  # fmt: skip
    rest = make_labels(PhotoLabels(make, dataset, Path(cams), Path(output) / LABELS), ids, shard, verify, workers)
    more = {"reviewed": len(decisions)} if decisions else {}
    return {"labels": len(ids), "threshold": value, "chosen": choice, **more, **rest}


def check_refiner(name: str, values: Section) -> None:
    """Refuse a refiner that cannot be made."""
    from acr_lightning.labels.refiner import build_refiner

    build_refiner(values["refiner"], f"{name}.refiner")


def check(name: str, values: Section) -> None:
    """Refuse a refiner that cannot be made, and a vote without voters."""
    from acr_lightning.errors import UserError

    check_refiner(name, values)
    if values["vote"] and not values["proposals"]:
        raise UserError(f"{name}.vote: there are no proposals that could vote; add --proposals=superpixels or sam")


def _require_one_way(
    threshold: float | str | None, alpha: float | None, margin: float | None, smoothing: float | None
) -> None:
    """Refuse values of which one would be left out."""
    from acr_lightning.errors import UserError

    if (threshold is None) == (alpha is None):
        raise UserError(
            "label: give either threshold (a number, auto, auto_strong, masks, oracle, walked) or alpha; set the other "
            "to null"
        )
    if margin is not None and threshold in (None, "walked"):
        raise UserError(
            "label.margin: goes with a threshold (a number, auto, auto_strong, masks or oracle); set it to null"
        )
    if smoothing is not None and (margin is not None or threshold == "walked"):
        raise UserError("label.smoothing: goes with neither margin nor a walked threshold; set it to null")
    if smoothing is not None and not 0 <= smoothing <= 0.4:
        raise UserError(f"label.smoothing: is {smoothing}; above 0.4 the exponent can be 0, give 0 to 0.4 (PMM: 0.3)")


def _threshold(threshold: float | str | None, cams: Path, ids: list[str], dataset: Any) -> tuple[float | None, str]:
    """The background score and how it was chosen."""
    from acr_lightning.labels.choose_threshold import automatic_thresholds, oracle_threshold, threshold_of_masks

    if threshold == "auto":
        return automatic_thresholds(cams, ids, 2)[0], "auto: Otsu's threshold of the CAM scores, no masks"
    if threshold == "auto_strong":
        return automatic_thresholds(cams, ids, 3)[1], "auto_strong: Otsu's higher threshold of two, no masks"
    if threshold == "masks":
        best, low, high, photos = threshold_of_masks(cams, dataset)
        return best, f"masks: chosen on the masks of {photos} photos, 95 % of bootstraps in {low:.2f} to {high:.2f}"
    if threshold == "oracle":
        return oracle_threshold(cams, dataset), "oracle: best mIoU on the masks of the split seed"
    if threshold == "walked":
        return None, "walked: the background went along on the random walk"
    return (None, "alpha") if threshold is None else (float(threshold), "given")


LABEL = Stage(
    "label",
    HELP,
    lambda folder: {"output": str(folder)},
    reads={"cams": ("affinity_walk", "cam"), "proposals": ("proposals",)},
    writes=LABELS,
    function=label,
    check=check,
    splits=("train", "seed"),
    sees_masks=lambda section: section.get("threshold") in ("masks", "oracle"),
    obeys=lambda decision: {key: value for key, value in decision.content().items() if key != "verdict"},
)
