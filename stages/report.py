"""Stage report: one self-contained HTML page of the run.

Reads whatever the other stages wrote. Writes `report.html` in the run's folder (and `report/`, its manifest).
"""

from pathlib import Path
from typing import Any

READS: tuple[str, ...] = ()
ALSO_READS: tuple[str, ...] = ("fit", "cam", "affinity", "label", "segment", "evaluate")


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults."""
    return {"runs": [str(run)], "output": str(run / "report.html")}


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the page; returns counts for the manifest."""
    from acr_lightning.cli.function_cli import run_function

    counts: dict[str, Any] = run_function(report, section)
    return counts


def report(runs: list[str], output: str, images: int = 24, allow: list[str] | None = None) -> dict[str, Any]:
    """Write one HTML page of runs, side by side.

    Args:
        runs: folders of runs; photos are shown from the first.
        output: the page.
        images: how many photos are shown.
        allow: packages, beside this one, whose data set may be made where a run names it; null is the experiment's own.
    """
    from acr_lightning.report.page import write_report

    return {"images": write_report([Path(run) for run in runs], Path(output), images, allow or ())}
