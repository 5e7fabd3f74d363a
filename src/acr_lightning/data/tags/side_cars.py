"""Side-cars: `1.txt` beside `1.jpg` holds its tags, parted by commas or lines."""

import re
from collections.abc import Iterable
from pathlib import Path

from acr_lightning.artefacts.text_file import read_text
from acr_lightning.data.tags.tagged_photo import TaggedPhoto, Tags, tags_in
from acr_lightning.errors import UserError

# What `TagFolder.tags` is for them.
PATTERN = "*.txt"
MOST_BYTES = 100_000
BOX = r"\d+(\s+[-+.\deE]+){4,}"


def tags_of_side_cars(root: Path, photos: Iterable[str]) -> Tags:
    """The photos that have a side-car (a link is none), by their paths from the root, as those that are given.

    Raises:
        UserError: a side-car is no text, too long, or holds boxes.
    """
    lines = []
    for photo in photos:
        path = (root / photo).with_suffix(".txt")
        if not path.is_file() or path.is_symlink():
            continue
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{path}: holds more than {MOST_BYTES:,} bytes, which is no list of tags")
        tags = list(dict.fromkeys(tags_in(read_text(path), str(path))))
        if any(re.fullmatch(BOX, tag) for tag in tags):
            raise UserError(f"{path}: holds numbers as YOLO's boxes, no tags; write the names of the classes")
        lines.append(TaggedPhoto(f"{path} beside {photo}", photo, tags))
    return Tags("a text beside each photo", lines)
