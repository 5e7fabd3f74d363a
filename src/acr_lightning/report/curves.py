"""Curves as SVG: losses by step, CAM scores by threshold."""

import csv
import io
import json
from collections import defaultdict
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from acr_lightning.report.run_scores import SWEEPS

Series = dict[str, tuple[list[float], list[float]]]


def loss_series(folder: Path) -> Series:
    """Every logged value of a stage's folder by step, over all its attempts: a resumed run has a CSV for each."""
    points: dict[str, dict[float, float]] = defaultdict(dict)
    attempts = sorted((folder / "csv").glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    for path in attempts:
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    if value and name not in ("step", "epoch"):
                        points[name][float(row["step"])] = float(value)
    return {name: (sorted(values), [values[step] for step in sorted(values)]) for name, values in points.items()}


def sweep_series(run: Path, by: str) -> Series:
    """mIoU, precision and recall of the CAMs by background `threshold` or `alpha`; empty when nothing was scored."""
    path = run / "evaluate" / SWEEPS["cam"]
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text())["exponents" if by == "alpha" else "thresholds"]
    return {name: ([row[by] for row in rows], [row[name] for row in rows]) for name in ("miou", "precision", "recall")}


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
