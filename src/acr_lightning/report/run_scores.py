"""All scores of a run, each with the conditions that it was measured under."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import as_csv, as_json, write_json, write_text
from acr_lightning.artefacts.cam_file import LEVELS
from acr_lightning.artefacts.manifest import part
from acr_lightning.artefacts.manifest import read as read_manifest
from acr_lightning.artefacts.own_files import write_all_own
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.labels.refiner import describe
from acr_lightning.metrics.cam_scores import cam_scores
from acr_lightning.metrics.confusion import confusion_csv, scores
from acr_lightning.metrics.folder_scores import count_folder
from acr_lightning.report.learned_from import KEY, learned_from
from acr_lightning.report.markdown import plain
from acr_lightning.segment.recorded_test import recorded_test

# Folders of a run's stages, by name.
Stages = Mapping[str, Path]
ORACLE = "best of all thresholds on these masks"
# The rules of `label.threshold` that read masks.
WITH_MASKS = ("oracle", "masks")
# Photos that chose nothing: neither the network nor the threshold has seen them or their masks.
CHOSEN_ELSEWHERE = "best of all thresholds on the masks of training photos"
# What people are told of a split whose name is also that of a number.
NAMES = {"seed": "training photos"}
# Scores of the CAMs at all thresholds: what to choose `label.threshold` by.
SWEEPS = {"cam": "sweep.json", "affinity_walk": "sweep_walked.json"}

# The stage that made what a score is of.
MADE_BY = {"cam": "cam", "walked cam": "affinity_walk", "label": "label", "network": "segment"}

# Of scores.csv, before the scores.
CSV_CONDITIONS = (
    "what",
    "split",
    "photos",
    "of_photos",
    "trained_on",
    "affinity",
    "threshold",
    "chosen",
    "refiner",
    KEY,
)


def score_run(stages: Stages, dataset: TaggedDataset, tested: list[Split], folder: Path) -> list[dict[str, Any]]:
    """Score what a run has made; write `scores.json`, `.csv`, `.md`, `confusion_*.csv` and `sweep.json`.

    CAMs and pseudo-labels are scored on the split `seed`, the network on `tested`. Where stage `cam` made CAMs of
    `val`, too, they are scored at the threshold that is best for `seed`.

    Args:
        stages: folders of the run's finished stages, by name.
        dataset: with masks; without any, nothing is scored, and the files say so.
        tested: splits that the network predicted on.
        folder: of the predictions and the scores.

    Returns:
        A record for each score, in the chain's order.
    """
    names = ["background", *dataset.class_names]
    records: list[dict[str, Any]] = []
    listed_ids = dataset.ids("seed")
    if ids := dataset.scored(listed_ids):
        for stage in ("cam", "affinity_walk") if walked(stages) else ("cam",):
            if stage in stages:
                records += _cam_records(stages, stage, dataset, ids, folder)
        cam_splits = part(_made(stages, "cam"), "config", "data", "init_args").get("splits") or []
        if "val" in cam_splits and (val_ids := dataset.scored(dataset.ids("val"))):
            val = _cam_of_val(stages, dataset, val_ids, records[0])
            records.append({**val, **_photos(val_ids, dataset.ids("val"))})
        if "label" in stages:
            counts = count_folder(stages["label"] / "labels", ids, dataset.mask, len(names), ignored=0)
            write_text(folder / "confusion_label.csv", confusion_csv(counts, names))
            records.append({**_label_conditions(stages), **scores(counts, names)})
        records = [{**_photos(ids, listed_ids), **record} for record in records]
    tested_ids = ids_of(dataset, tested)
    if (folder / "predictions").is_dir() and (test_ids := dataset.scored(tested_ids)):
        counts = count_folder(folder / "predictions", test_ids, dataset.mask, len(names))
        write_text(folder / "confusion_network.csv", confusion_csv(counts, names))
        conditions = {"trained": trained_as(stages), **recorded_test(folder).settings}
        if "refiner" in conditions:
            conditions["refiner"] = describe(conditions["refiner"])
        trained_ids = {*dataset.ids("train")}
        conditions |= _photos(test_ids, tested_ids) | {"trained_on": sum(one in trained_ids for one in test_ids)}
        records.append({"what": "network", "split": "+".join(tested), **conditions, **scores(counts, names)})
    for record in records:
        record |= learned_from(stages.get(MADE_BY[record["what"]], folder), record)
    for name, text in _texts(records).items():
        write_text(folder / name, text)
    return records


def ids_of(dataset: TaggedDataset, splits: list[Split]) -> list[str]:
    """The photos of several splits, each once."""
    return list(dict.fromkeys(image_id for split in splits for image_id in dataset.ids(split)))


def _photos(scored_ids: Collection[str], ids: Collection[str]) -> dict[str, int]:
    """How many photos a score is of, and how many of them there are with and without a mask."""
    return {"photos": len(scored_ids), "of_photos": len(ids)}


def part_scored(record: Mapping[str, Any]) -> str:
    """`12 of 180 photos`, where a score is of those photos alone that have a mask; else nothing."""
    photos, of_photos = record.get("photos"), record.get("of_photos")
    return "" if photos == of_photos else f"{photos} of {of_photos} photos"


def split_of(record: Mapping[str, Any]) -> str:
    """The split that a score is of, as people are told."""
    split = str(record.get("split"))
    return NAMES.get(split, split)


def scored_on(record: Mapping[str, Any]) -> str:
    """What a score is of, for a table: `val (12 of 180 photos, all trained on)`."""
    trained_on, photos = record.get("trained_on"), record.get("photos")
    seen = f"{'all' if trained_on == photos else trained_on} trained on" if trained_on else ""
    words = ", ".join(filter(None, (part_scored(record), seen)))
    return f"{split_of(record)} ({words})" if words else split_of(record)


def chosen_by(record: Mapping[str, Any]) -> str:
    """How a score's threshold was chosen, in brief; with masks it is said that they are those of the score."""
    choice = str(record.get("chosen", "")).partition(":")[0]
    return f"{choice}, chosen on these very masks" if choice in WITH_MASKS else choice


def walked(stages: Stages) -> bool:
    """Whether the run's CAMs were walked: by a finished stage that the labels, if any, were made from."""
    return "affinity_walk" in stages and _source(_made(stages, "label"), "affinity_walk") == "affinity_walk"


def _made(stages: Stages, name: str) -> dict[str, Any]:
    """The manifest of a stage; empty where the run has none."""
    return (read_manifest(stages[name]) if name in stages else None) or {}


def _source(label: dict[str, Any], without: str = "cam") -> str:
    """The stage whose CAMs the labels were made from, or `without` where there are no labels."""
    return Path(str(part(label, "config").get("cams"))).parent.name if label else without


def _cam_records(
    stages: Stages, name: str, dataset: TaggedDataset, ids: list[str], folder: Path
) -> list[dict[str, Any]]:
    """CAMs at the best threshold (said to be an oracle) and, if labels were made with one, at that."""
    rows = cam_scores(stages[name] / "cams", dataset, ids)
    brief = [_kept(row, "threshold", "miou", "precision", "recall") for row in rows]
    write_json(folder / SWEEPS[name], {"thresholds": brief})
    model = part(_made(stages, "cam"), "config", "model", "init_args")
    conditions = _kept(model, "scales", "flip", "long_side", "power")
    base: dict[str, Any] = {"what": "cam", "split": "seed", **conditions, "refiner": "none"}
    if name == "affinity_walk":
        base |= {"what": "walked cam", **_affinity(stages)}
    records = [{**base, "chosen": ORACLE, **max(rows, key=lambda row: float(row["miou"]))}]
    label = _made(stages, "label")
    counts = part(label, "counts")
    threshold = counts.get("threshold")
    if label and _source(label) == name and isinstance(threshold, int | float) and 0 <= threshold <= 1:
        level = int(threshold * LEVELS + 1e-6)  # between two levels it parts the same pixels as at the lower one
        records.append({**base, "chosen": counts.get("chosen"), **rows[level]})
    return records


def _cam_of_val(stages: Stages, dataset: TaggedDataset, ids: list[str], best: dict[str, Any]) -> dict[str, Any]:
    """The CAMs of `val`, made with its tags, at the threshold of the record that is best for `seed`."""
    row = cam_scores(stages["cam"] / "cams", dataset, ids)[round(best["threshold"] * LEVELS)]
    conditions = {key: value for key, value in best.items() if key not in row}
    return {**conditions, "split": "val", "chosen": CHOSEN_ELSEWHERE, **row}


def _affinity(stages: Stages) -> dict[str, Any]:
    """The name of the recipe that the CAMs were walked by."""
    return _kept(part(_made(stages, "affinity_walk"), "presets"), "affinity")


def _label_conditions(stages: Stages) -> dict[str, Any]:
    manifest = _made(stages, "label")
    counts, config = part(manifest, "counts"), part(manifest, "config")
    return {
        "what": "label",
        "split": "seed",
        "refiner": describe(config.get("refiner", "soft_cam")),
        "threshold": counts.get("threshold"),
        "chosen": counts.get("chosen"),
        **_kept(config, "margin", "smoothing"),
        **(_affinity(stages) if walked(stages) else {}),
    }


def trained_as(stages: Stages) -> str:
    """Network, initialisation, loss and labels: what its score cannot be compared without (docs/segment.md)."""
    model, data = (part(_made(stages, "segment"), "config", key, "init_args") for key in ("model", "data"))
    labels = "true masks" if data.get("labels") == "masks" else "pseudo-labels"
    return (
        f"{model.get('head', 'v2')} on {model.get('backbone', 'resnet101')}, weights {model.get('weights')}, "
        f"{model.get('loss', 'cross_entropy')}, {labels}"
    )


def _kept(settings: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: settings[name] for name in names if name in settings}


def print_and_keep(records: list[dict[str, Any]], output: str | None, more: Mapping[str, str]) -> None:
    """Print the table of scores; in the folder `output`, if there is one, it is kept, with more texts by their names.

    Raises:
        UserError: something is there that this program did not write.
    """
    print(table(records), end="")
    if output:
        write_all_own(output, {**more, **_texts(records)})


def _texts(records: list[dict[str, Any]]) -> dict[str, str]:
    """The files of some scores by their names."""
    return {"scores.json": as_json(records), "scores.csv": _csv(records), "scores.md": table(records)}


def _csv(records: list[dict[str, Any]]) -> str:
    """The records of `scores.json` (see `score_run`), in per cent.

    Columns: the conditions, empty where a score has none of the kind; `label`, which is `(mean)` for the mIoU and the
    mean precision and recall; `iou`, `precision` and `recall`. Absent labels have no row.
    """
    rows: list[list[Any]] = [[*CSV_CONDITIONS, "label", "iou", "precision", "recall"]]
    for record in records:
        conditions = [record.get(name) for name in CSV_CONDITIONS]
        rows.append([*conditions, "(mean)", record["miou"], record["precision"], record["recall"]])
        for label, one in record["classes"].items():
            rows.append([*conditions, label, one["iou"], one["precision"], one["recall"]])
    return as_csv(rows)


def table(records: list[dict[str, Any]]) -> str:
    """The scores as a Markdown table, mIoU, precision and recall in per cent, one column a class (IoU)."""
    if not records:
        return "No masks, so nothing was scored.\n"
    names = list(dict.fromkeys(name for record in records for name in record["classes"]))
    head = ["what", "split", "threshold", "refiner", "mIoU", "precision", "recall", *names]
    lines = ["| " + " | ".join(map(plain, head)) + " |", "|" + "---|" * len(head)]
    for record in records:
        threshold = record.get("threshold")
        choice = chosen_by(record)
        cells = [
            f"{record['what']} ({record['affinity']})" if "affinity" in record else record["what"],
            scored_on(record),
            choice if threshold is None else f"{threshold:.2f} ({choice})",
            record.get("refiner", ""),
            *(f"{record[key]:.1f}" for key in ("miou", "precision", "recall")),
            *(f"{record['classes'][name]['iou']:.1f}" if name in record["classes"] else "absent" for name in names),
        ]
        lines.append("| " + " | ".join(map(plain, cells)) + " |")
    return "\n".join(lines) + "\n"
