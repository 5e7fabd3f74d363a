"""Tables of an ablation: mean and deviation over seeds, as Markdown and as one HTML page."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from acr_lightning.artefacts.atomic import write_text
from acr_lightning.errors import UserError
from acr_lightning.report.score_files import SCORES, read_scores

MEASURES = ("miou", "precision", "recall")


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
        """`mean ± sample deviation`, or the value alone where there is one seed."""
        found = self.values[measure]
        mean = f"{statistics.mean(found):.1f}"
        return mean if len(found) == 1 else f"{mean} ± {statistics.stdev(found):.1f}"


def read_row(variant: str, runs: Sequence[Path]) -> Row:
    """The scores of a variant's runs, one a seed.

    Raises:
        UserError: a run has no CAM score.
    """
    values: dict[str, list[float]] = {measure: [] for measure in MEASURES}
    for run in runs:
        record = next((record for record in read_scores(run) if record["what"] == "cam"), None)
        if record is None:
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
    text = "\n".join(lines)
    write_text(folder / "ablation.md", text)
    environment = Environment(loader=PackageLoader("acr_lightning", "report"), autoescape=select_autoescape())
    page = environment.get_template("ablation.html").render(tables=tables, measures=MEASURES, note=note)
    write_text(folder / "ablation.html", page)
    return text
