"""Stage report."""

from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Stage

HELP = """one self-contained HTML page of the run

Reads whatever the other stages wrote. Writes `report.html` in the run's folder (and `report/`, its manifest).
"""


def report(dataset: Any, runs: list[str], output: str, images: int = 24) -> dict[str, Any]:
    """Write one HTML page of runs, side by side.

    Args:
        dataset: the photos that are shown.
        runs: folders of runs.
        output: the page.
        images: how many photos are shown.
    """
    from acr_lightning.report.page import write_report

    return {"images": write_report([Path(run) for run in runs], Path(output), images, dataset)}


REPORT = Stage(
    "report",
    HELP,
    lambda folder: {"runs": [str(folder.parent)], "output": str(folder.with_suffix(".html"))},
    also_reads=("fit", "cam", "affinity_train", "affinity_walk", "label", "segment", "evaluate"),
    function=report,
    splits=("seed", "val"),
    reads_tags=False,
    sees_masks=lambda section: True,
)
