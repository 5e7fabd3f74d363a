"""What every form of tags is read into: photos, each with its tags and, where the form has one, its split."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from acr_lightning.data.tagged import Split
from acr_lightning.errors import UserError, expect, shown

# What people and tools call the field of a photo, of its tags, of its one tag, and of its split.
PHOTO = ("image", "photo", "file", "filename", "file_name", "filepath", "path", "imageid")
SEVERAL = ("tags", "labels", "classes", "categories")
ONE = ("tag", "label", "class", "category", "choice", "labelname")
SPLIT = ("split", "subset")
# What parts tags inside of one text, and what a list of tags looks like that somebody wrote into a text.
BETWEEN = r"[;,|\n]"
WRITTEN = r"'([^']*)'|\"([^\"]*)\"|([^,\[\]'\"]+)"
SPLITS: dict[Split, str] = {"train": "train(ing)?", "val": "val(id(ation)?)?|dev", "test": "test(ing)?"}
AFTER = r"[ _-]?(set|data|images|photos|\d+)?"


class TaggedPhoto(NamedTuple):
    """What one place (`where`: file and line, for messages) says of a photo, as it names it."""

    where: str
    photo: str
    tags: list[str]
    split: Split | None = None


class Tags(NamedTuple):
    """The form of the tags, for people, and a line for each photo."""

    form: str
    lines: list[TaggedPhoto]


class Fields(NamedTuple):
    """The names of a file's fields; None where it has no such one."""

    photo: str | None
    tags: str | None
    split: str | None

    @property
    def is_list(self) -> bool:
        """Whether the field of the tags is called so that it holds several."""
        return self.tags is not None and self.tags.casefold() in SEVERAL

    def line(self, record: dict[str, Any], tags: list[str], where: str) -> TaggedPhoto:
        """A line of these tags; raises UserError where photo or split is none."""
        photo, name = record.get(self.photo or ""), record.get(self.split or "", "")
        split = split_of(name) if isinstance(name, str) else None
        expect(isinstance(photo, str), photo, where, "a photo's name")
        expect(split is not None or name in ("", None), name, where, "train, val or test")
        return TaggedPhoto(where, str(photo), tags, split)


def fields_of(names: Sequence[str], where: str) -> Fields:
    """The fields by their names, in whatever case; raises UserError where two may be meant."""
    kinds = [[name for name in names if name.casefold() in known] for known in (PHOTO, SEVERAL + ONE, SPLIT)]
    if several := next((kind for kind in kinds if len(kind) > 1), None):
        raise UserError(f"{where}: {' and '.join(map(shown, several))} may both be meant; take one out")
    return Fields(*(kind[0] if kind else None for kind in kinds))


def split_of(name: str) -> Split | None:
    """The split that a folder or a field is called by, whoever's habit it is: `valid`, `train2017`, `Test_set`."""
    plain = name.strip().casefold()
    return next((split for split, words in SPLITS.items() if re.fullmatch(f"({words}){AFTER}", plain)), None)


def tags_in(value: Any, where: str, is_list: bool = True) -> list[str]:
    """The tags in a field: a text, a number, a list of them, or such a list written as a text, `['dog', 'cat']`.

    Args:
        value: of the field.
        where: it stands, for messages.
        is_list: whether a text is parted at `;`, `,`, `|` and line breaks.

    Raises:
        UserError: it is something else.
    """
    if isinstance(value, str) and (is_list or not value):
        is_written = value.startswith("[") and value.endswith("]")
        words = map("".join, re.findall(WRITTEN, value[1:-1])) if is_written else re.split(BETWEEN, value)
        return [word.strip() for word in words if word.strip()]
    if isinstance(value, dict) and "choices" in value:
        value = value["choices"]
    tags = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(tag, str | int) and not isinstance(tag, bool) for tag in tags):
        raise UserError(f'{where}: {shown(str(value))} are no tags; write them as ["dog", "person"]')
    return [str(tag).strip() for tag in tags]


def join_lines(lines: Iterable[TaggedPhoto]) -> list[TaggedPhoto]:
    """Lines of one tag each to one line a photo; raises UserError where one repeats another, or has another split."""
    photos: dict[str, TaggedPhoto] = {}
    for line in lines:
        first = photos.setdefault(line.photo, line._replace(tags=[]))
        if first.split != line.split or set(first.tags).intersection(line.tags):
            raise UserError(f"{line.where} names photo {shown(line.photo)} again with the same tag, or another split")
        first.tags.extend(line.tags)
    return list(photos.values())
