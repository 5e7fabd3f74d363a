"""Tables of variants: mean and deviation over seeds; Markdown, CSV and one HTML page."""

import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.atomic import as_csv
from acr_lightning.artefacts.own_files import write_all_own
from acr_lightning.errors import UserError
from acr_lightning.report.gain_figure import gain_figure
from acr_lightning.report.markdown import plain
from acr_lightning.report.run_scores import part_scored, split_of
from acr_lightning.report.score_files import read_scores
from acr_lightning.report.templates import render
from acr_lightning.report.variant_row import COSTS, GAINS, SCORES, Row, Runs, parts_of, read_rows

FILES = MARKDOWN, CSV, PAGE = ("comparison.md", "comparison.csv", "comparison.html")
NOTE = (
    "mIoU in per cent, mean ± sample deviation over random seeds: CAMs at the threshold that is best for the training "
    "photos, with precision and recall; those of val at the same threshold. A gain, in brackets for each random seed, "
    "is over a control: a variant without the method, of as many steps and read in the same way, if there is one. "
    "Hours and CPU seconds are those of all stages; costs count the trainings that a variant goes on with."
)
# The costs that stand beside each method.
LASTING = ("steps", "CPU seconds")
# By title, which is a table's and perhaps a data set's, and variant.
Tables = Mapping[tuple[str, ...], Mapping[str, Runs]]


def tabulate(tables: Tables, folder: Path, plan: str) -> str:
    """Write `FILES`; returns the Markdown and `figure PLAN_TABLE_VARIANT_COLUMN VALUE` of every mean.

    Raises:
        UserError: a file of a run is damaged, no run has a score, or a file is there that this program did not write.
    """
    groups = [_read_table(" on ".join(title), variants) for title, variants in tables.items()]
    rows = [row for table in groups for row in table]
    if not any(row.seeds for row in rows):
        raise UserError(f"{folder}: no run has a score; the data set needs masks, and the stage evaluate must be done")
    pages = [(table[0].title, gain_figure(table), [_by_readout(table), _cells(table)]) for table in groups]
    lines = [NOTE, ""]
    for title, _, both in pages:
        lines += [f"**{plain(title)}**", ""]
        for head, *cells in filter(None, both):
            table_lines = [head, ["---"] * len(head), *(map(plain, line) for line in cells)]
            lines += [*(f"| {' | '.join(line)} |" for line in table_lines), ""]
    page = render("comparison.html", groups=pages, note=f"{NOTE} Each random seed's values are in {CSV}.")
    write_all_own(folder, {MARKDOWN: "\n".join(lines), CSV: _csv(rows), PAGE: page})
    return "\n".join([*lines, *_figures(rows, plan)])


def _read_table(title: str, variants: Mapping[str, Runs]) -> list[Row]:
    first_runs = [run for runs in variants.values() for run, *_ in runs.values()]
    return read_rows(title + _photos_scored(title, first_runs), variants)


def _photos_scored(title: str, runs: Sequence[Path]) -> str:
    """` (val: 12 of 180 photos)` where scores are of some photos; a UserError where they are not of the same ones."""
    parts: dict[str, set[str]] = {}
    for record in (record for run in runs for record in read_scores(run)):
        parts.setdefault(split_of(record), set()).add(part_scored(record))
    for split, several in parts.items():
        if len(several) > 1:
            these = " and ".join(sorted(part or "all photos" for part in several))
            raise UserError(f"{title}: scores on {split} are of {these}, which do not compare; give all the same masks")
    words = "; ".join(f"{split}: {part}" for split, each in parts.items() for part in each if part)
    return f" ({words})" if words else ""


def _by_readout(rows: Sequence[Row]) -> list[list[str]]:
    """Head and lines of CAM scores and gains by method and readout; nothing where all are read in one way."""
    by_name = {parts_of(row.name): row for row in rows}
    readouts = dict.fromkeys(readout for _, readout in by_name)
    if len(readouts) == 1:
        return []
    columns = [(column, readout) for readout in readouts for column in ("CAM", "gain")]
    lines = [["method", *(f"{column} by {readout}" if readout else column for column, readout in columns), *LASTING]]
    for method in dict.fromkeys(method for method, _ in by_name):
        read = {readout: by_name[method, readout] for readout in readouts if (method, readout) in by_name}
        scores = [_cell(column, read[way].values.get(column, []) if way in read else []) for column, way in columns]
        first = next(iter(read.values()))
        costs = [_cell(column, first.values.get(column, [])) for column in LASTING]
        lines.append([method, *scores, *costs])
    return lines


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """A table's head and lines; what no run has is no column."""
    columns = [column for column in (*SCORES, *GAINS, *COSTS) if any(column in row.values for row in rows)]
    lines = [
        [row.name, str(len(row.seeds)), *(_cell(column, row.values.get(column, [])) for column in columns)]
        for row in rows
    ]
    return [["variant", "random seeds", *columns], *lines]


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
