"""Curves as SVG: losses by step, CAM scores by threshold."""

import csv
import io
import json
from collections import defaultdict
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

Series = dict[str, tuple[list[float], list[float]]]


def loss_series(run: Path, stage: str) -> Series:
    """Every logged value of a stage by step, over all its attempts: a resumed run has a CSV for each."""
    points: dict[str, dict[float, float]] = defaultdict(dict)
    attempts = sorted((run / stage / "csv").glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    for path in attempts:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value and name not in ("step", "epoch"):
                        points[name][float(row["step"])] = float(value)
    return {name: (sorted(values), [values[step] for step in sorted(values)]) for name, values in points.items()}


def threshold_series(run: Path) -> Series:
    """mIoU, precision and recall of the CAMs by background threshold; empty when nothing was scored."""
    path = run / "evaluate" / "thresholds.json"
    if not path.is_file():
        return {}
    curve = json.loads(path.read_text())
    thresholds = [point["threshold"] for point in curve]
    return {name: (thresholds, [point[name] for point in curve]) for name in ("miou", "precision", "recall")}


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
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = buffer.getvalue()
    return Markup(svg[svg.index("<svg") :])  # without the XML head, which does not belong inside HTML
