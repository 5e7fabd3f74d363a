"""`make bench-labels`: how fast labels are made, each line against a straightforward way in the same run."""

import argparse
import importlib
import logging
import os
import platform
import warnings
from datetime import UTC, datetime
from pathlib import Path

import torch

from acr_lightning.artefacts.atomic import write_text
from benchmarks.table import Row, markdown, written

PARTS = ("walk", "sweep", "crf", "cam", "memory")


def main() -> None:
    """Measure, print a table, write it, and end with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure, separated by commas")
    parser.add_argument("--output", type=Path, default=Path("runs/bench-labels.md"), help="where the table goes")
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    rows: list[Row] = []
    for part in options.only.split(","):
        rows += importlib.import_module(f"benchmarks.{part}").benchmark()
    cores = len(os.sched_getaffinity(0))
    head = (
        f"Measured by `make bench-labels` on {datetime.now(UTC):%Y-%m-%d}: {_processor()}, {cores} cores, "
        f"torch {torch.__version__} with {torch.get_num_threads()} threads.\n\n"
    )
    write_text(options.output, head + markdown(rows))
    print(head + markdown(rows))
    for row in rows:
        for name, value in row.figures.items():
            print(f"figure {name} {written(value)}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
