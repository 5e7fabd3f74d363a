"""What was measured of a variant, one value a seed, and which other variant is its control."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from acr_lightning.artefacts import manifest
from acr_lightning.report.score_files import first_record

# The columns: of scores by kind, split (None: any) and key of the record that shows them; of gains; of costs.
SCORES = {
    "CAM": ("cam", None, "miou"), "precision": ("cam", None, "precision"), "recall": ("cam", None, "recall"),
    "CAM on val": ("cam", "val", "miou"), "walked CAM": ("walked cam", None, "miou"),
    "label": ("label", None, "miou"), "network": ("network", None, "miou"),
}  # fmt: skip
GAINS = {"gain": "CAM", "gain on val": "CAM on val"}
COSTS = {"hours": ".2f", "CPU seconds": ".0f", "steps": ".0f", "photos seen": ".0f"}
# A variant of this name trains as long as the others without what they try.
CONTROL = "control"
# Runs with those that they go on with, by seed.
Runs = Mapping[int, Sequence[Path]]


class Row(NamedTuple):
    """A variant.

    Attributes:
        title: of its table.
        name: of the variant.
        control: of the variant that its gains are counted over, which may have no row; nothing for that itself.
        seeds: those whose runs have scores.
        values: by column, one a seed; without those columns that one of the runs lacks.
    """

    title: str
    name: str
    control: str
    seeds: list[int]
    values: dict[str, list[float]]


def read_rows(title: str, variants: Mapping[str, Runs]) -> list[Row]:
    """A row for each variant, with what it gains over its control, seed by seed."""
    rows = [_read_row(title, name, control_of(name, variants), runs) for name, runs in variants.items()]
    by_name = {row.name: row for row in rows}
    for row in rows:
        control = by_name.get(row.control)
        if control and row.seeds == control.seeds:
            for gain, score in GAINS.items():
                if score in row.values and score in control.values:
                    pairs = zip(row.values[score], control.values[score], strict=True)
                    row.values[gain] = [ours - other for ours, other in pairs]
    return rows


def control_of(name: str, names: Collection[str]) -> str:
    """The variant that another one's gains are counted over: the one of `names` that is most like it; nothing without.

    Of `METHOD on VARIANT`, which trains nothing, that is VARIANT, of `METHOD, REGIME` it is `control, REGIME`, and of
    what is read `by READOUT` one that is read so, too. Where there is none of these, it is `control`.
    """
    trained, readout = parts_of(name)
    base, regime = trained.partition(" on ")[2], "".join(trained.partition(", ")[1:])
    readouts = dict.fromkeys((f" by {readout}" if readout else "", ""))
    candidates = [one + suffix for suffix in readouts for one in (base, CONTROL + regime, CONTROL)]
    return next((one for one in candidates if one in names and one != name), "")


def parts_of(name: str) -> tuple[str, str]:
    """A variant's name as what is trained and how that is read, if not in its method's own way: `NAME by READOUT`."""
    trained, _, readout = name.partition(" by ")
    return trained, readout


def _read_row(title: str, name: str, control: str, runs: Runs) -> Row:
    scores = {seed: numbers for seed, (run, *_) in runs.items() if (numbers := _scores(run))}
    values = [{**numbers, **_costs(runs[seed])} for seed, numbers in scores.items()]
    columns = [column for column in (*SCORES, *COSTS) if values and all(column in one for one in values)]
    return Row(title, name, control, [*scores], {column: [one[column] for one in values] for column in columns})


def _scores(run: Path) -> dict[str, float]:
    """A run's scores, as far as they are numbers."""
    return {
        column: float(record[key])
        for column, (what, split, key) in SCORES.items()
        if (record := first_record(run, what, split)) and not math.isnan(record[key])
    }


def _costs(runs: Sequence[Path]) -> dict[str, float]:
    """What some runs took together, as far as they say: all stages of the first, each stage `fit` of any, once."""
    stages = [(run, name, folder.resolve()) for run in runs for name, folder in manifest.stages_of(run).items()]
    manifests = {folder: manifest.read(folder) or {} for run, name, folder in stages if run == runs[0] or name == "fit"}
    costs = dict.fromkeys(COSTS, 0.0)
    for one in manifests.values():
        costs["hours"] += one.get("seconds", 0) / 3600
        costs["CPU seconds"] += one.get("cpu_seconds", 0)
    for fit in (one for folder, one in manifests.items() if folder.name == "fit"):
        counts, data = manifest.part(fit, "counts"), manifest.part(fit, "config", "data", "init_args")
        batch = counts.get("batch") or data.get("batch_size", 8)  # of older versions, which had this default
        steps = counts.get("epochs", 0) * (counts.get("photos", 0) // batch)
        costs["steps"] += steps
        costs["photos seen"] += steps * batch
    return {name: cost for name, cost in costs.items() if cost}
