"""A row of a benchmark, and how rows are written down."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One comparison.

    Attributes:
        what: was measured, on what.
        ours: of this package, with the unit.
        other: of the straightforward way, with the unit.
        figures: name and value of each figure that the row gives.
        note: how it was measured, where that is not plain.
    """

    what: str
    ours: str
    other: str
    figures: dict[str, float]
    note: str = ""


def seconds(work: Callable[[], Any], repeats: int = 1) -> float:
    """The fastest of some calls, in seconds: other jobs can only make a call slower."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def markdown(rows: list[Row]) -> str:
    """The rows as a table."""
    lines = ["| what | here | straightforward | figure | note |", "|---|---|---|---|---|"]
    for row in rows:
        figures = ", ".join(f"{name} {written(value)}" for name, value in row.figures.items())
        lines.append(f"| {row.what} | {row.ours} | {row.other} | {figures} | {row.note} |")
    return "\n".join(lines) + "\n"


def written(value: float) -> str:
    """Three digits, never in powers of ten."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
