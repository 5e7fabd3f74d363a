"""Tables of an ablation: mean and deviation over seeds, as Markdown and as one HTML page."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acr_lightning.artefacts.own_files import write_all_own
from acr_lightning.errors import UserError
from acr_lightning.report.over_seeds import as_word, distinct, first_record, mean_and_deviation
from acr_lightning.report.score_files import SCORES
from acr_lightning.report.templates import render

# What is read of each run's CAMs; `val` only where all runs of a variant made those, at `seed`'s best threshold.
COLUMNS = {"miou": "mIoU", "precision": "precision", "recall": "recall", "val": "mIoU on val"}
# A variant of this name trains as long as the others without what they try.
CONTROL = "control"


@dataclass(frozen=True)
class Row:
    """One variant.

    Attributes:
        variant: its name.
        values: scores of the CAMs by the keys of `COLUMNS`, per cent: one value a seed.
    """

    variant: str
    values: dict[str, list[float]]

    def cell(self, measure: str) -> str:
        """See `mean_and_deviation`."""
        return mean_and_deviation(self.values.get(measure, []))

    def gain(self, control: "Row", measure: str = "miou") -> list[float]:
        """What it has above the control, seed by seed."""
        return [ours - other for ours, other in zip(self.values[measure], control.values[measure], strict=True)]


def read_row(variant: str, runs: Sequence[Path]) -> Row:
    """The scores of a variant's runs, one a seed.

    Raises:
        UserError: a run has no CAM score.
    """
    values: dict[str, list[float]] = {measure: [] for measure in COLUMNS}
    for run in runs:
        if (record := first_record(run, "cam")) is None:
            raise UserError(
                f"{run / SCORES}: no CAM score; the data set needs masks, and the stage evaluate must be done"
            )
        for measure in ("miou", "precision", "recall"):
            values[measure].append(record[measure])
        if of_val := first_record(run, "cam", "val"):
            values["val"].append(of_val["miou"])
    if len(values["val"]) < len(runs):
        del values["val"]
    return Row(variant, values)


def write_tables(tables: Mapping[str, Sequence[Row]], folder: Path, note: str) -> str:
    """Write `ablation.md` and `ablation.html`; returns the Markdown.

    Args:
        tables: rows by title.
        folder: of the two files.
        note: what was measured, on what.
    """
    found = {key for rows in tables.values() for row in rows for key in row.values}
    columns = {key: title for key, title in COLUMNS.items() if key in found}
    lines = [note, ""]
    for title, rows in tables.items():
        lines += [f"**{title}**", "", f"| | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {row.variant} | " + " | ".join(row.cell(name) for name in columns) + " |" for row in rows] + [""]
        for sentence in _gains_in_words(rows):
            lines += [sentence, ""]
    text = "\n".join(lines)
    words = {title: _gains_in_words(rows) for title, rows in tables.items()}
    page = render("ablation.html", tables=tables, columns=columns, note=note, gains=words)
    write_all_own(folder, {"ablation.md": text, "ablation.html": page})
    return text


def _gains_in_words(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.variant} above the control, seed by seed: {', '.join(f'{value:+.1f}' for value in gain)}; "
        f"mean {mean_and_deviation(gain)}"
        for row, gain in gains(rows)
    ]


def gains(rows: Sequence[Row], measure: str = "miou") -> list[tuple[Row, list[float]]]:
    """What each variant of a table gains over its control, seed by seed; nothing where one of them has no score."""
    control = next((row for row in rows if row.variant == CONTROL and measure in row.values), None)
    if control is None:
        return []
    return [(row, row.gain(control, measure)) for row in rows if row is not control and measure in row.values]


def figures(tables: Mapping[str, Sequence[Row]], prefix: str) -> list[str]:
    """`figure PREFIX.VARIANT VALUE`: the mean mIoU of each variant, and its gain where a table has a control."""
    found = [(as_word(row.variant), statistics.mean(row.values["miou"])) for rows in tables.values() for row in rows]
    for rows in tables.values():
        for measure, word in (("miou", "gain"), ("val", "val_gain")):
            for row, gain in gains(rows, measure):
                of = "" if len(rows) == 2 else f"{as_word(row.variant)}."
                found += [(f"{of}{word}", statistics.mean(gain)), (f"{of}least_{word}", min(gain))]
    return [f"figure {prefix}.{name} {value:.1f}" for name, value in distinct(found).items()]
