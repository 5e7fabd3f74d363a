"""What tables over several seeds are made of."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acr_lightning.report.score_files import read_scores


def first_record(run: Path, what: str, split: str | None = None) -> dict[str, Any] | None:
    """A run's first score of a kind, on any split or this one (of CAMs that at the best threshold); None without."""
    return next(
        (record for record in read_scores(run) if record["what"] == what and split in (None, record.get("split"))), None
    )


def mean_and_deviation(values: Sequence[float]) -> str:
    """`mean ± sample deviation`, the value alone where there is one, and a dash where there is none."""
    if len(values) < 2:
        return f"{values[0]:.1f}" if values else "–"
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def as_word(text: str) -> str:
    """A title as part of a figure's or a folder's name."""
    return re.sub(r"\W+", "_", text.lower()).strip("_")
