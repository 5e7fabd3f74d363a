"""What tables over several seeds are made of."""

import itertools
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from acr_lightning.report.score_files import read_scores


def first_record(run: Path, what: str, split: str | None = None) -> dict[str, Any] | None:
    """A run's first score of a kind, on any split or this one (of CAMs that at the best threshold); None without."""
    return next(
        (record for record in read_scores(run) if record.get("what") == what and split in (None, record.get("split"))),
        None,
    )


def mean_and_deviation(values: Sequence[float]) -> str:
    """`mean ± sample deviation`, the value alone where there is one, and a dash where there is none."""
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else "–"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def as_word(text: str) -> str:
    """A title as part of a figure's name."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")


def distinct(figures: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Figures by name; of different ones with one name (ACR and ACR+ are the same word) the later have a number."""
    named = dict[str, float]()
    for name, value in figures:
        names = (name if number == 1 else f"{name}_{number}" for number in itertools.count(1))
        named[next(free for free in names if named.get(free, value) == value)] = value
    return named
