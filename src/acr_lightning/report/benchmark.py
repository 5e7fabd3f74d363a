"""Tables of a benchmark: methods on equal terms, mean and deviation over seeds; Markdown, CSV and one HTML page."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acr_lightning.artefacts import manifest
from acr_lightning.artefacts.own_files import write_all_own
from acr_lightning.report.over_seeds import as_word, distinct, first_record, mean_and_deviation
from acr_lightning.report.templates import render

# What is scored, in the chain's order, and what it cost.
SCORES = ("cam", "walked cam", "label", "network")
COSTS = ("minutes", "memory, GB", "steps", "photos seen")
CSV = "benchmark.csv"
NOTE = (
    "mIoU in per cent, mean ± sample deviation over seeds; CAMs at the threshold that is best for their masks. "
    "Minutes are those of all stages, memory is the most of any; steps and photos seen are those of stage fit, and of "
    "the runs that a method began with."
)


@dataclass(frozen=True)
class Row:
    """A method on a data set.

    Attributes:
        method: its name.
        runs: those that are scored, one a seed.
        values: of each of `SCORES` and `COSTS`, one a run that has it.
        thresholds: how the labels' background score was chosen, each once.
    """

    method: str
    runs: list[Path]
    values: dict[str, list[float]]
    thresholds: list[str]

    def cell(self, name: str) -> str:
        """Mean and deviation of a score, the mean of a cost."""
        found = self.values[name]
        if name in SCORES:
            return mean_and_deviation(found)
        digits = 1 if name == "memory, GB" else 0
        return f"{statistics.mean(found):.{digits}f}" if found else "–"


def read_row(method: str, runs: Sequence[tuple[Path, Sequence[Path]]]) -> Row:
    """What is known of a method's runs; one without scores is left out.

    Args:
        method: its name.
        runs: one a seed, each with those whose training it goes on with.
    """
    scored = [(run, before) for run, before in runs if any(first_record(run, what) for what in SCORES)]
    values: dict[str, list[float]] = {name: [] for name in (*SCORES, *COSTS)}
    thresholds = []
    for run, before in scored:
        for what in SCORES:
            if record := first_record(run, what):
                values[what].append(float(record["miou"]))
                if what == "label":
                    thresholds.append(str(record.get("chosen", "")))
        for name, value in _costs([run, *before]).items():
            values[name].append(value)
    return Row(method, [run for run, _ in scored], values, list(dict.fromkeys(thresholds)))


def _costs(runs: Sequence[Path]) -> dict[str, float]:
    """What some runs took together, as far as they say; of the first one all stages count, of the others `fit`."""
    seconds = steps = photos = megabytes = 0.0
    for at, run in enumerate(runs):
        made = {name: manifest.read(folder) or {} for name, folder in manifest.stages_of(run).items()}
        counted = [one for name, one in made.items() if at == 0 or name == "fit"]
        seconds += sum(one.get("seconds", 0) for one in counted)
        megabytes = max(megabytes, *(one.get("megabytes", 0.0) for one in counted), 0.0)
        fit = made.get("fit", {})
        counts, batch = fit.get("counts", {}), _batch_size(fit)
        batches = counts.get("epochs", 0) * (counts.get("photos", 0) // batch)
        steps, photos = steps + batches, photos + batches * batch
    found = {"minutes": seconds / 60, "memory, GB": megabytes / 1024, "steps": steps, "photos seen": photos}
    return found if megabytes else {name: value for name, value in found.items() if name != "memory, GB"}


def _batch_size(fit: dict[str, object]) -> int:
    data = fit.get("config", {}).get("data", {})  # type: ignore[attr-defined]
    return int(data.get("init_args", {}).get("batch_size", 8))


def write_tables(tables: Mapping[str, Sequence[Row]], folder: Path) -> str:
    """Write `benchmark.md`, `benchmark.csv` and `benchmark.html`; returns the Markdown.

    Args:
        tables: rows by data set.
        folder: of the files.
    """
    columns = {name: _shown(name, tables) for name in (*SCORES, *COSTS)}
    names = [name for name, shown in columns.items() if shown]
    lines = [NOTE, ""]
    for dataset, rows in tables.items():
        head = [dataset, "seeds", *names, "label threshold"]
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += [f"| {' | '.join(_cells(row, names))} |" for row in rows] + [""]
    text = "\n".join(lines)
    rows_of = {dataset: [_cells(row, names) for row in rows] for dataset, rows in tables.items()}
    page = render("benchmark.html", tables=rows_of, names=names, note=NOTE)
    write_all_own(folder, {"benchmark.md": text, CSV: _csv(tables), "benchmark.html": page})
    return text


def _shown(name: str, tables: Mapping[str, Sequence[Row]]) -> bool:
    return any(row.values[name] for rows in tables.values() for row in rows)


def _cells(row: Row, names: Sequence[str]) -> list[str]:
    return [row.method, str(len(row.runs)), *(row.cell(name) for name in names), "; ".join(row.thresholds)]


def _csv(tables: Mapping[str, Sequence[Row]]) -> str:
    """One line a data set, method and what was measured; the values of all seeds are kept."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["dataset", "method", "what", "mean", "deviation", "values"])
    for dataset, rows in tables.items():
        for row in rows:
            for name, found in row.values.items():
                if found:
                    spread = statistics.stdev(found) if len(found) > 1 else ""
                    writer.writerow(
                        [dataset, row.method, name, statistics.mean(found), spread, " ".join(map(str, found))]
                    )
    return file.getvalue()


def figures(tables: Mapping[str, Sequence[Row]]) -> list[str]:
    """`figure benchmark.METHOD.cam VALUE` and `.label`, the means; of several data sets, with their names before."""
    found = (
        (f"{prefix}.{as_word(row.method)}.{what}", statistics.mean(row.values[what]))
        for dataset, rows in tables.items()
        for prefix in ["benchmark" if len(tables) == 1 else f"benchmark.{as_word(dataset)}"]
        for row in rows
        for what in ("cam", "label")
        if row.values[what]
    )
    return [f"figure {name} {value:.1f}" for name, value in distinct(found).items()]
