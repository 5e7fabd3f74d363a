"""What a run was, in a sentence and a table of classes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import manifests_of, part, read, stages_of
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.duration import duration


def sentence(run: Path, dataset: TaggedDataset | None) -> str:
    """Photos, classes, stages with their durations, and when it ended."""
    manifests, text = manifests_of(run), ""
    if dataset is not None:
        names = list(dataset.class_names)
        classes = ", ".join(names) if len(names) <= 10 else f"{', '.join(names[:10])} and {len(names) - 10} more"
        text = f"{len(dataset.ids('train'))} training photos, {len(names)} classes ({classes}). "
    stages = ", ".join(f"{name} {duration(one['seconds'])}" for name, one in manifests.items() if "seconds" in one)
    end = max((str(one.get("written", "")) for one in manifests.values()), default="")[:10]
    return f"{text}Stages: {stages or 'none is done'}; {end}."


def times(gone: float, folders: Sequence[Path]) -> str:
    """`, after 12 min; from here on it took 25 min before`: of a run, in its middle.

    Args:
        gone: seconds since it began.
        folders: of the stages that are to come. Only where each was done before is it said how long they took.
    """
    manifests = [read(folder) or {} for folder in folders]
    seconds = [one["seconds"] for one in manifests if one.get("status") == "done" and "seconds" in one]
    before = f"; from here on it took {duration(sum(seconds))} before" if len(seconds) == len(folders) else ""
    return (f", after {duration(gone)}" if gone else "") + before


def next_step(run: Path) -> str:
    """What to do with the run now."""
    stages = stages_of(run)
    if (stages.get("segment", run / "segment") / "last.ckpt").is_file():
        return f"acr predict --run {run} --images PHOTO|FOLDER --output masks"
    return "acr run with the same --config"


def class_table(dataset: TaggedDataset, records: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for background and each class: `name`, training `photos` with its tag, and `scores`.

    These are its IoU in each of the run's `records`, per cent; None where it does not occur.
    """
    counts = Counter(int(tag) for image_id in dataset.ids("train") for tag in dataset.tags(image_id))
    photos: dict[str, int | None] = {"background": None}
    photos |= {name: counts[index] for index, name in enumerate(dataset.class_names)}
    return [
        {"name": name, "photos": count, "scores": [part(record, "classes", name).get("iou") for record in records]}
        for name, count in photos.items()
    ]
