"""Curves as SVG: losses by step, CAM scores by threshold."""

import csv
import io
from collections import defaultdict
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from acr_lightning.artefacts.text_file import read_text
from acr_lightning.errors import UserError
from acr_lightning.report.run_scores import SWEEPS
from acr_lightning.report.score_files import read_sweep

# Steps between two points, beside the usual ones, from which on nothing was trained in between.
GAP = 3
# What the names that the stages log stand for, by their first word.
MEANINGS = {
    "cu": "the classifier's loss and its terms; skipped: updates whose loss was not finite",
    "ru": "the reconstructor's loss and its terms",
    "force": "how hard each term of the classifier's loss pulls at the CAM",
    "monitor": "cam_area: the share of the photos that the CAM covers; the reconstructor's errors: error_whole, of "
    "what it sees; inferability, of the class guessed from what is around it (large is good); error_outside, the "
    "reverse",
    "affinity": "the loss of the network that says which neighbours belong together",
    "segment": "the segmentation network's loss",
}
Series = dict[str, tuple[list[float], list[float]]]


def loss_series(folder: Path, notes: list[str]) -> Series:
    """Every logged value of a stage's folder by step, over all its attempts: a resumed run has a CSV for each.

    NaN stands between phases in which a network trained, so that no line crosses one in which it rested.

    Args:
        folder: of the stage.
        notes: what cannot be read is added here; a kill may leave half a line.
    """
    points: dict[str, dict[float, float]] = defaultdict(dict)
    attempts = sorted((folder / "csv").glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    for path in attempts:
        try:
            head, *lines = csv.reader(read_text(path).splitlines())
        except (UserError, ValueError, csv.Error) as error:
            notes.append(str(error) if isinstance(error, UserError) else f"{path}: damaged ({error})")
            continue
        rows = [row for line in lines if (row := _values(head, line))]
        if len(rows) < len(lines):
            notes.append(f"{path}: {len(lines) - len(rows)} of its lines are damaged")
        for step, values in rows:
            for name, value in values.items():
                points[name][step] = value
    return {
        name: with_gaps(sorted(values), [values[step] for step in sorted(values)]) for name, values in points.items()
    }


def sweep_series(run: Path) -> Series:
    """mIoU, precision and recall of the CAMs by background threshold; empty when nothing was scored.

    Raises:
        UserError: the file is damaged.
    """
    rows = read_sweep(run / "evaluate" / SWEEPS["cam"])
    names = ("miou", "precision", "recall") if rows else ()
    return {name: ([row["threshold"] for row in rows], [row[name] for row in rows]) for name in names}


def _values(head: list[str], line: list[str]) -> tuple[float, dict[str, float]] | None:
    """The step of a line of a log, and what was logged then; None for a damaged one."""
    try:
        row = {name: float(text) for name, text in zip(head, line, strict=True) if text}
        return row.pop("step"), {name: value for name, value in row.items() if name != "epoch"}
    except (ValueError, KeyError):
        return None


def with_gaps(xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
    """A line that is broken where nothing was logged for long: between phases in which its network trained."""
    steps = np.diff(xs)
    ends = np.flatnonzero(steps > GAP * np.median(steps)) + 1 if len(xs) > 1 else np.array([], int)
    broken = np.insert(np.array([xs, ys], float), ends, np.nan, axis=1)
    return broken[0].tolist(), broken[1].tolist()


def plot(series: Series, x_label: str, y_label: str) -> Markup:
    """An SVG of some series in one frame."""
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, (xs, ys) in series.items():
        axes.plot(xs, ys, label=name, linewidth=1.2)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    return as_svg(figure)


def as_svg(figure: Figure) -> Markup:
    """A figure to stand inside HTML."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue()
    return Markup(svg[svg.index("<svg") :])  # without the XML head
