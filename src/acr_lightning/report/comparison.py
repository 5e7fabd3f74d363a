"""Tables of variants: mean and deviation over seeds; Markdown, CSV and one HTML page."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.atomic import as_csv
from acr_lightning.artefacts.own_files import write_all_own
from acr_lightning.errors import UserError
from acr_lightning.report.markdown import plain
from acr_lightning.report.run_scores import part_scored
from acr_lightning.report.score_files import first_record, read_scores
from acr_lightning.report.templates import render

FILES = MARKDOWN, CSV, PAGE = ("comparison.md", "comparison.csv", "comparison.html")
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
NOTE = (
    "mIoU in per cent, mean ± sample deviation over seeds: CAMs at the threshold that is best for split seed, with "
    "precision and recall; those of val at the same threshold. A gain is over the control, in brackets seed by seed. "
    "Hours and CPU seconds are those of all stages; costs count the trainings that a variant goes on with."
)
# Runs with those that they go on with, by seed, variant and title, which is a table's and perhaps a data set's.
Runs = Mapping[int, Sequence[Path]]
Tables = Mapping[tuple[str, ...], Mapping[str, Runs]]


class Row(NamedTuple):
    """A variant.

    Attributes:
        title: of its table.
        name: of the variant.
        seeds: those whose runs have scores.
        values: by column, one a seed; without those columns that one of the runs lacks.
    """

    title: str
    name: str
    seeds: list[int]
    values: dict[str, list[float]]


def tabulate(tables: Tables, folder: Path, plan: str) -> str:
    """Write `FILES`; returns the Markdown and `figure PLAN_TABLE_VARIANT_COLUMN VALUE` of every mean.

    Raises:
        UserError: a file of a run is damaged, no run has a score, or a file is there that this program did not write.
    """
    groups = [_read_table(" on ".join(title), variants) for title, variants in tables.items()]
    rows = [row for table in groups for row in table]
    if not any(row.seeds for row in rows):
        raise UserError(f"{folder}: no run has a score; the data set needs masks, and the stage evaluate must be done")
    pages = [(table[0].title, _cells(table)) for table in groups]
    lines = [NOTE, ""]
    for title, (head, *cells) in pages:
        table_lines = [head, ["---"] * len(head), *(map(plain, line) for line in cells)]
        lines += [f"**{plain(title)}**", "", *(f"| {' | '.join(line)} |" for line in table_lines), ""]
    page = render("comparison.html", tables=pages, note=f"{NOTE} Each seed's values are in {CSV}.")
    write_all_own(folder, {MARKDOWN: "\n".join(lines), CSV: _csv(rows), PAGE: page})
    return "\n".join([*lines, *_figures(rows, plan)])


def _read_table(title: str, variants: Mapping[str, Runs]) -> list[Row]:
    """A row for each variant, with what it gains over the control, seed by seed."""
    title += _photos_scored(title, [run for runs in variants.values() for run, *_ in runs.values()])
    rows = [_read_row(title, name, runs) for name, runs in variants.items()]
    for control in (row for row in rows if row.name == CONTROL):
        for row in (row for row in rows if row is not control and row.seeds == control.seeds):
            for gain, score in GAINS.items():
                if score in row.values and score in control.values:
                    pairs = zip(row.values[score], control.values[score], strict=True)
                    row.values[gain] = [ours - other for ours, other in pairs]
    return rows


def _photos_scored(title: str, runs: Sequence[Path]) -> str:
    """` (seed: 12 of 180 photos)` where scores are of some photos; a UserError where they are not of the same ones."""
    parts: dict[str, set[str]] = {}
    for record in (record for run in runs for record in read_scores(run)):
        parts.setdefault(str(record.get("split")), set()).add(part_scored(record))
    for split, several in parts.items():
        if len(several) > 1:
            these = " and ".join(sorted(part or "all photos" for part in several))
            raise UserError(f"{title}: scores on {split} are of {these}, which do not compare; give all the same masks")
    words = "; ".join(f"{split}: {part}" for split, each in parts.items() for part in each if part)
    return f" ({words})" if words else ""


def _read_row(title: str, name: str, runs: Runs) -> Row:
    scores = {seed: numbers for seed, (run, *_) in runs.items() if (numbers := _scores(run))}
    values = [{**numbers, **_costs(runs[seed])} for seed, numbers in scores.items()]
    columns = [column for column in (*SCORES, *COSTS) if values and all(column in one for one in values)]
    return Row(title, name, [*scores], {column: [one[column] for one in values] for column in columns})


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
        batch = data.get("batch_size", 8)
        steps = counts.get("epochs", 0) * (counts.get("photos", 0) // batch)
        costs["steps"] += steps
        costs["photos seen"] += steps * batch
    return {name: cost for name, cost in costs.items() if cost}


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """A table's head and lines; what no run has is no column."""
    columns = [column for column in (*SCORES, *GAINS, *COSTS) if any(column in row.values for row in rows)]
    lines = [
        [row.name, str(len(row.seeds)), *(_cell(column, row.values.get(column, [])) for column in columns)]
        for row in rows
    ]
    return [["variant", "seeds", *columns], *lines]


def _cell(column: str, values: Sequence[float]) -> str:
    """Mean and deviation of a score, the mean of a cost, a dash where there is none."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 and column not in COSTS else ""
    each = f" ({', '.join(f'{value:+.1f}' for value in values)})" if column in GAINS else ""
    return f"{_mean(column, values)}{spread}{each}" if values else "–"


def _mean(column: str, values: Sequence[float]) -> str:
    return format(statistics.mean(values), COSTS.get(column, ".1f"))


def _csv(rows: Sequence[Row]) -> str:
    """One line a table, variant and column; the values of all seeds are kept."""
    lines: list[list[Any]] = [["table", "variant", "column", "mean", "deviation", "seeds", "values"]]
    for row in rows:
        for column, values in row.values.items():
            deviation = statistics.stdev(values) if len(values) > 1 else ""
            each = (" ".join(map(str, numbers)) for numbers in (row.seeds, values))
            lines.append([row.title, row.name, column, statistics.mean(values), deviation, *each])
    return as_csv(lines)


def _figures(rows: Sequence[Row], plan: str) -> list[str]:
    """The means by names that are one word; of those that are the same (ACR and ACR+) the later get a number."""
    figures = dict[str, str]()
    for row in rows:
        for column, values in row.values.items():
            name = re.sub(r"\W+", "_", f"{plan} {row.title} {row.name} {column}".lower()).strip("_")
            while name in figures:
                name += "_2"
            figures[name] = _mean(column, values)
    return [f"figure {name} {value}" for name, value in figures.items()]
