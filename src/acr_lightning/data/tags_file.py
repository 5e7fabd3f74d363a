"""The tags of a folder of photos: a CSV or JSON file, or the folders that the photos lie in."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.text_file import read_json, read_text
from acr_lightning.errors import UserError, shown

PHOTO = ("image", "photo", "file", "filename", "path")
TAGS = ("tags", "tag", "labels", "label", "classes", "class")
# What parts the fields of a CSV file, and what parts tags inside of one field.
FIELDS = ",;\t"
BETWEEN_TAGS = r"[;,|]"


class TaggedPhoto(NamedTuple):
    """One line of a tags file.

    Attributes:
        where: file and line (or entry), for messages.
        photo: as the file names it.
        tags: names of classes.
    """

    where: str
    photo: str
    tags: list[str]


def read_tags(path: Path) -> list[TaggedPhoto]:
    """Read a tags file (see `TagFolder` for its forms), in its order.

    Raises:
        UserError: it is missing or damaged, has none of the forms, names no photo, or names one twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such tags file; set dataset.tags (CSV or JSON, see `TagFolder`)")
    lines = list(_from_json(path) if path.suffix.lower() == ".json" else _from_csv(path))
    if not lines:
        raise UserError(f"{path}: names no photo")
    names: set[str] = set()
    for one in lines:
        if one.photo in names:
            raise UserError(f"{one.where} names photo {shown(one.photo)} again")
        names.add(one.photo)
    return lines


def _from_json(path: Path) -> Iterator[TaggedPhoto]:
    content = read_json(path)
    if not isinstance(content, dict) or not all(map(_are_tags, content.values())):
        raise UserError(f'{path}: expected an object like {{"photo.jpg": ["dog", "person"]}}')
    for number, (photo, tags) in enumerate(content.items(), start=1):
        yield TaggedPhoto(f"{path}: entry {number}", photo, [str(tag) for tag in tags])


def _are_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str | int) for tag in value)


def tags_of_folders(photos: Iterable[str]) -> list[TaggedPhoto]:
    """Photos that are tagged with the folder that they lie in: `dog/1.jpg` is a dog; those in no folder are left out.

    Args:
        photos: paths from the root.
    """
    return [
        TaggedPhoto(photo, photo, [folder]) for photo in photos for folder, _, name in [photo.partition("/")] if name
    ]


def _from_csv(path: Path) -> Iterator[TaggedPhoto]:
    rows = _rows(path)
    _, header = next(rows, (1, [""]))
    if len(header) < 2 or header[0].lower() not in PHOTO:
        raise UserError(f"{path}: line 1 must be the header `image,tags` or `image,<class>,<class>…`")
    for line, row in rows:
        yield TaggedPhoto(f"{path}: line {line}", row[0], _tags_of(row, header, f"{path}: line {line}"))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line on which it ends."""
    text = read_text(path)
    head = text.lstrip().partition("\n")[0]
    delimiter = max(FIELDS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cells := [cell.strip() for cell in row]):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV ({error})") from None


def _tags_of(row: list[str], header: list[str], where: str) -> list[str]:
    if len(row) > len(header):
        raise UserError(f"{where} has {len(row)} fields, the header {len(header)}; join tags with '|', or quote them")
    if len(header) == 2 and header[1].lower() in TAGS:
        return [name.strip() for cell in row[1:] for name in re.split(BETWEEN_TAGS, cell) if name.strip()]
    for cell in row[1:]:
        if cell not in ("0", "1", ""):
            raise UserError(f"{where}: '{cell}' under a class column must be 0 or 1")
    return [name for name, cell in zip(header[1:], row[1:], strict=False) if cell == "1"]
