"""The scores of a run as they lie on disk, which may be damaged or come from anyone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.text_file import read_json
from acr_lightning.errors import UserError

SCORES = Path("evaluate", "scores.json")
# Any score, threshold or count of seconds is below.
LARGEST = 1e15
REMEDY = "run `acr evaluate --force` to make it again"


def read_scores(run: Path) -> list[dict[str, Any]]:
    """The records of a run's scores (see `run_scores.score_run`); none where nothing was scored.

    Raises:
        UserError: the file is damaged.
    """
    return _rows(run / SCORES, read_json(run / SCORES, REMEDY)) if (run / SCORES).is_file() else []


def first_record(run: Path, what: str, split: str | None = None) -> dict[str, Any] | None:
    """A run's first score of a kind, on any split or this one (of CAMs that at the best threshold); None without.

    Raises:
        UserError: the file is damaged.
    """
    return next(
        (record for record in read_scores(run) if record.get("what") == what and split in (None, record.get("split"))),
        None,
    )


def read_sweep(path: Path) -> list[dict[str, float]]:
    """The scores of CAMs by `threshold`; none where there is no such file.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file():
        return []
    content = read_json(path, REMEDY)
    return _rows(path, content.get("thresholds") if isinstance(content, dict) else None, ("threshold",))


def _rows(path: Path, rows: Any, more: Sequence[str] = ()) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not all(_is_row(row, more) for row in rows):
        raise UserError(f"{path}: no scores; {REMEDY}")
    return rows


def _is_row(row: Any, more: Sequence[str]) -> bool:
    """Whether a row has the values that all readers need, each of its type."""
    if not isinstance(row, dict):
        return False
    numbers = [row.get(key) for key in ("miou", "precision", "recall", *more)]
    classes, threshold, scales = row.get("classes", {}), row.get("threshold"), row.get("scales", [])
    if not isinstance(classes, dict) or not isinstance(scales, list) or not isinstance(row.get("what", ""), str):
        return False
    numbers += [one.get("iou") if isinstance(one, dict) else None for one in classes.values()]
    return all(is_number(number) for number in (*numbers, threshold or 0.0))


def is_number(value: Any) -> bool:
    """Whether something read of a file is a number that can be written with a few digits."""
    return isinstance(value, int | float) and not abs(value) >= LARGEST
