"""Open Images' CSV: a line for each label of a photo, with a confidence; of boxes, a line for each box."""

from collections.abc import Iterator
from pathlib import Path

from acr_lightning.artefacts.text_file import read_text
from acr_lightning.errors import UserError, shown

PHOTO, TAG, CONFIDENCE, BOX = "ImageID", "LabelName", "Confidence", "XMin"
HEADER = {PHOTO, TAG, CONFIDENCE}
# People who did not find a label write 0, a machine's guesses are fractions.
LEAST = 0.5
# Beside the file: what each label's code means.
NAMES = "*class-descriptions*.csv"

Rows = Iterator[tuple[str, dict[str, str]]]


def positive(rows: Rows, folder: Path) -> Rows:
    """The rows whose confidence says that the label is there, with its name, and of boxes each label once.

    Raises:
        UserError: a confidence is no number.
    """
    files = [path for path in sorted(folder.glob(NAMES)) if path.is_file() and not path.is_symlink()]
    known = (line.partition(",") for path in files[:1] for line in read_text(path).splitlines())
    names = {code.strip(): name.strip().strip('"') for code, _, name in known}
    boxes: set[tuple[str, str]] = set()
    for where, row in rows:
        try:
            is_there = float(row[CONFIDENCE] or 1) >= LEAST
        except ValueError:
            raise UserError(f"{where}: the confidence {shown(row[CONFIDENCE])} is no number") from None
        box = row[PHOTO], row[TAG]
        if is_there and box not in boxes:
            yield where, {**row, TAG: names.get(row[TAG], row[TAG])}
        if BOX in row:
            boxes.add(box)
