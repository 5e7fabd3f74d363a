"""Stage report."""

from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage

HELP = """one self-contained HTML page of the run

Reads whatever the other stages wrote. Writes `report.html` in the run's folder (and `report/`, its manifest).
"""


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {"runs": [str(folder.parent)], "output": str(folder.with_suffix(".html"))}


def main(job: Job) -> dict[str, Any]:
    """Write the page; returns counts for the manifest."""
    from acr_lightning.chain.function_section import run_function

    counts: dict[str, Any] = run_function(report, job.section)
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


REPORT = Stage(
    "report",
    HELP,
    main,
    defaults,
    also_reads=("fit", "cam", "affinity_train", "affinity_walk", "label", "segment", "evaluate"),
    function=report,
    allows="allow",
)
