"""What variants gain over their controls, as SVG: each seed a point, the mean a stroke, each readout a colour."""

import statistics
from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.figure import Figure

from acr_lightning.report.curves import as_svg
from acr_lightning.report.variant_row import CONTROL, Row, parts_of

INCHES_A_LINE = 0.32
# How far apart the readouts of a method are drawn, in lines.
SHIFT = 0.2


def gain_figure(rows: Sequence[Row]) -> Markup | None:
    """The gains of a table's variants, in points of mIoU, a line for each; controls have none.

    Args:
        rows: of the table.

    Returns:
        The SVG, in which a group of points has the variant's name as its id; None where nothing has a gain.
    """
    variants = [row for row in rows if "gain" in row.values and parts_of(row.name)[0].partition(",")[0] != CONTROL]
    if not variants:
        return None
    lines = list(dict.fromkeys(parts_of(row.name)[0] for row in variants))
    readouts = list(dict.fromkeys(parts_of(row.name)[1] for row in variants))
    figure = Figure(figsize=(8, 1.2 + INCHES_A_LINE * len(lines)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for row in variants:
        trained, readout = parts_of(row.name)
        at, color = lines.index(trained) + SHIFT * readouts.index(readout), f"C{readouts.index(readout)}"
        gains = row.values["gain"]
        axes.scatter(gains, [at] * len(gains), s=18, color=color, alpha=0.7, gid=row.name)
        axes.scatter([statistics.mean(gains)], [at], s=90, color=color, marker="|", gid=f"mean of {row.name}")
    for number, readout in enumerate(readouts):
        axes.scatter([], [], s=18, color=f"C{number}", label=f"by {readout}" if readout else "in its own way")
    axes.set_yticks(range(len(lines)), lines)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlabel("gain over the control, points of mIoU of the CAM")
    axes.grid(axis="x", alpha=0.3)
    if len(readouts) > 1:
        axes.legend(fontsize=8)
    return as_svg(figure)
