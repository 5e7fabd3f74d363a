"""What whoever gets an exported network has to know: the model card, from what the run says of itself.

Its parts are those of Mitchell et al., Model Cards for Model Reporting (FAT* 2019), as far as a run knows them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import manifests_of, part, stages_of
from acr_lightning.duration import duration
from acr_lightning.labels.refiner import describe
from acr_lightning.report.learned_from import KEY, learned_from
from acr_lightning.report.markdown import plain
from acr_lightning.report.run_scores import WITH_MASKS, scored_on, trained_as
from acr_lightning.report.score_files import read_scores
from acr_lightning.report.templates import render
from acr_lightning.segment.recorded_test import recorded_test

NAME = "MODEL_CARD.md"
# What a score says beside its conditions.
NUMBERS = ("miou", "precision", "recall", "classes", "what", "split", "photos", "of_photos", "trained_on")
SAID = ("version", "python", "written")


def model_card(
    run: Path,
    file: str,
    labels: Sequence[str],
    size: tuple[int, int],
    step: int | None,
    normalisation: Mapping[str, Sequence[float]],
) -> str:
    """The card as Markdown.

    Args:
        run: folder of a run whose stage `segment` is done.
        file: name of the exported file.
        labels: names of 0..K.
        size: height and width that the file takes.
        step: it takes any multiples of this instead; None if it does not.
        normalisation: `mean` and `std` of the three channels, which the file applies itself.

    Raises:
        UserError: a manifest or the scores are damaged.
    """
    manifests = manifests_of(run)
    records = read_scores(run)
    settings = recorded_test(run / "evaluate").settings
    network = next((record for record in records if record.get("what") == "network"), None)
    return render(
        "model_card.md",
        name=run.resolve().name,
        file=file,
        labels=[(name, part(network, "classes", name).get("iou")) for name in labels],
        size=size if step is None else ("height", "width"),
        step=step,
        normalisation=normalisation,
        tested=_conditions({key: describe(value) if key == "refiner" else value for key, value in settings.items()}),
        scores=[{**record, "split": scored_on(record), "conditions": _conditions(record)} for record in records],
        measured=network is not None,
        oracle=str(part(manifests, "label", "counts").get("chosen")).startswith(WITH_MASKS),
        method=_class(manifests, "fit", "model") or _class(manifests, "cam", "model"),
        strategy=part(manifests, "fit", "config", "model", "init_args").get("strategy"),
        dataset=_class(manifests, "segment", "data", "init_args", "dataset"),
        network=trained_as(stages_of(run)),
        learned_from=learned_from(stages_of(run).get("segment", run), settings).get(KEY),
        supervised=part(manifests, "segment", "config", "data", "init_args").get("labels") == "masks",
        stages=[(name, *_stage(one)) for name, one in manifests.items()],
        plain=plain,
    )


def _stage(manifest: dict[str, Any]) -> list[Any]:
    """Photos, epochs, time, versions and date of a stage; empty what it does not say."""
    counts, seconds = part(manifest, "counts"), manifest.get("seconds")
    time = "" if seconds is None else duration(seconds)
    return [counts.get("photos", ""), counts.get("epochs", ""), time, *(manifest.get(key, "") for key in SAID)]


def _class(manifests: dict[str, Any], stage: str, *keys: str) -> str | None:
    """The last word of a class that a stage's section names."""
    path = part(manifests, stage, "config", *keys).get("class_path")
    return None if path is None else str(path).rpartition(".")[2]


def _conditions(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if key not in NUMBERS and value is not None)
