"""Tables of an ablation: mean and deviation over seeds, as Markdown and as one HTML page."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acr_lightning.artefacts.atomic import write_text
from acr_lightning.errors import UserError
from acr_lightning.report.over_seeds import as_word, first_record, mean_and_deviation
from acr_lightning.report.score_files import SCORES
from acr_lightning.report.templates import render

MEASURES = ("miou", "precision", "recall")
# A variant of this name trains as long as the others without what they try.
CONTROL = "control"


@dataclass(frozen=True)
class Row:
    """One variant.

    Attributes:
        variant: its name.
        values: mIoU, precision and recall of the CAMs at their best threshold, per cent: one value a seed.
    """

    variant: str
    values: dict[str, list[float]]

    def cell(self, measure: str) -> str:
        """See `mean_and_deviation`."""
        return mean_and_deviation(self.values[measure])

    def gain(self, control: "Row") -> list[float]:
        """The mIoU above the control's, seed by seed."""
        return [ours - other for ours, other in zip(self.values["miou"], control.values["miou"], strict=True)]


def read_row(variant: str, runs: Sequence[Path]) -> Row:
    """The scores of a variant's runs, one a seed.

    Raises:
        UserError: a run has no CAM score.
    """
    values: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for run in runs:
        if (record := first_record(run, "cam")) is None:
            raise UserError(
                f"{run / SCORES}: no CAM score; the data set needs masks, and the stage evaluate must be done"
            )
        for measure in MEASURES:
            values[measure].append(record[measure])
    return Row(variant, values)


def write_tables(tables: Mapping[str, Sequence[Row]], folder: Path, note: str) -> str:
    """Write `ablation.md` and `ablation.html`; returns the Markdown.

    Args:
        tables: rows by title.
        folder: of the two files.
        note: what was measured, on what.
    """
    lines = [note, ""]
    for title, rows in tables.items():
        lines += [f"**{title}**", "", "| | mIoU | precision | recall |", "|---|---|---|---|"]
        lines += [f"| {row.variant} | " + " | ".join(row.cell(name) for name in MEASURES) + " |" for row in rows] + [""]
        for sentence in _gains_in_words(rows):
            lines += [sentence, ""]
    text = "\n".join(lines)
    write_text(folder / "ablation.md", text)
    words = {title: _gains_in_words(rows) for title, rows in tables.items()}
    write_text(
        folder / "ablation.html", render("ablation.html", tables=tables, measures=MEASURES, note=note, gains=words)
    )
    return text


def _gains_in_words(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.variant} above the control, seed by seed: {', '.join(f'{value:+.1f}' for value in gain)}; "
        f"mean {mean_and_deviation(gain)}"
        for row, gain in gains(rows)
    ]


def gains(rows: Sequence[Row]) -> list[tuple[Row, list[float]]]:
    """What each variant of a table gains over its control, seed by seed; nothing where it has none."""
    control = next((row for row in rows if row.variant == CONTROL), None)
    return [] if control is None else [(row, row.gain(control)) for row in rows if row is not control]


def figures(tables: Mapping[str, Sequence[Row]], prefix: str) -> list[str]:
    """`figure PREFIX.VARIANT VALUE`: the mean mIoU of each variant, and its gain where a table has a control."""
    found = {as_word(row.variant): statistics.mean(row.values["miou"]) for rows in tables.values() for row in rows}
    for rows in tables.values():
        for row, gain in gains(rows):
            alone = len(rows) == 2
            found["gain" if alone else f"{as_word(row.variant)}.gain"] = statistics.mean(gain)
            found["least_gain" if alone else f"{as_word(row.variant)}.least_gain"] = min(gain)
    return [f"figure {prefix}.{name} {value:.1f}" for name, value in found.items()]
