"""CSV: a photo and its tags a line (Hugging Face's metadata.csv, too), a tag a line, or a column a class."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from acr_lightning.artefacts.text_file import read_text
from acr_lightning.data.tags import open_images
from acr_lightning.data.tags.tagged_photo import Tags, fields_of, join_lines, tags_in
from acr_lightning.errors import UserError, shown

# What parts the fields.
PARTS = ",;\t"


def read_csv(path: Path) -> Tags:
    """Photos and their tags; raises UserError where header or lines are others."""
    rows = _rows(path)
    header = [*next(rows, ("", {"": ""}))[1]]
    fields = fields_of(header, f"{path}: line 1")
    if fields.photo is None or len(header) < 2:
        raise UserError(f"{path}: line 1 must be the header `image,tags` or `image,<class>,<class>…`")
    others = [name for name in header if name not in fields]
    if fields.tags is None:
        lines = [fields.line(row, _marked(row, others, where), where) for where, row in rows]
        return Tags("CSV with a column a class", lines)
    if set(header) >= open_images.HEADER:
        rows = open_images.positive(rows, path.parent)
    tagged = (fields.line(row, tags_in(row[fields.tags], where), where) for where, row in rows)
    form = f"CSV, tags in {shown(fields.tags)}" + (f", not read: {', '.join(map(shown, others[:5]))}" if others else "")
    return Tags(form, list(tagged) if fields.is_list else join_lines(tagged))


def _marked(row: dict[str, str], classes: list[str], where: str) -> list[str]:
    """The classes whose column has a 1."""
    for name in classes:
        if row[name] not in ("0", "1", ""):
            raise UserError(f"{where}: '{row[name]}' under a class column must be 0 or 1")
    return [name for name in classes if row[name] == "1"]


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows that are not blank, the header first: where each ends, for messages, and its cells by column."""
    text = read_text(path)
    head = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(PARTS, key=head.count))
    header: list[str] = []
    try:
        for row in reader:
            where, cells = f"{path}: line {reader.line_num}", [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not header and max(Counter(cells).values()) > 1:
                raise UserError(f"{where} has the column {shown(Counter(cells).most_common(1)[0][0])} twice")
            header = header or cells
            if len(cells) > len(header):
                raise UserError(
                    f"{where} has {len(cells)} fields, the header {len(header)}; join tags with '|', or quote them"
                )
            yield where, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV ({error})") from None
