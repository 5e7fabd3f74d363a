"""A folder of photos and one file of tags: the user's own data, no masks needed."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.data.images import SUFFIXES
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError, nearest


class TagFolder(TaggedDataset):
    """Photos in a folder, tags in a CSV or JSON file.

    The tags file is one of:

    * CSV `image,tags` with the tags separated by `;`: `beach/1.jpg,dog;person`
    * CSV with a column a class and 0 or 1 in it: `image,dog,person`
    * JSON: `{"beach/1.jpg": ["dog", "person"]}`

    Photos are named relative to `root`. Every photo named in the file is trained on and gets a pseudo-label; the
    photos that the file does not name are what the segmentation network predicts on (all photos, if it names all).

    Args:
        root: the folder of photos (subfolders are fine).
        tags: the tags file, relative to `root` or to the working folder.
        classes: the classes, in the order of their labels; if null, all tags of the file in alphabetical order.
        masks: a folder of masks `<photo name>.png` (0 background, 1..K in the order of `classes`, 255 not scored),
            used for scoring only; null: nothing is scored.

    Raises:
        UserError: the root or the tags file is missing, a line names a photo that is not there, a photo has no tag,
            or a tag is not one of `classes`.
    """

    def __init__(
        self,
        root: str,
        tags: str = "tags.csv",
        classes: list[str] | None = None,
        masks: str | None = None,
    ) -> None:
        self._read(root, tags, classes, masks)
        for fault in self._faults():
            raise UserError(fault)

    @classmethod
    def setup_faults(cls, **arguments: Any) -> list[str]:  # noqa: D102
        made = cls.__new__(cls)
        try:
            made._read(**arguments)
        except UserError as error:
            return [str(error)]
        return list(made._faults())

    def _read(
        self, root: str, tags: str = "tags.csv", classes: list[str] | None = None, masks: str | None = None
    ) -> None:
        """What is in the folder and in the file, whether it fits or not."""
        self.root = Path(root)
        if not self.root.is_dir():
            raise UserError(f"{root}: no such folder of photos; set dataset.root")
        self.tags_file = self.root / tags if (self.root / tags).is_file() else Path(tags)
        self.masks = Path(masks) if masks else None
        if self.masks and not self.masks.is_dir():
            raise UserError(f"{masks}: no such folder of masks; set dataset.masks, or leave it out")
        self._names = self._read_tags_file()
        found = sorted({name for names_of_photo in self._names.values() for name in names_of_photo})
        self.class_names = tuple(classes or found)
        index = {name: number for number, name in enumerate(self.class_names)}
        self._paths = {_id(photo): self.root / photo for photo in self._names}
        self._tags = {
            _id(photo): sorted({index[name] for name in names if name in index}) for photo, names in self._names.items()
        }
        untagged = [
            path.relative_to(self.root).as_posix()
            for path in sorted(self.root.rglob("*"))
            if path.suffix.lower() in SUFFIXES and (self.masks is None or self.masks not in path.parents)
        ]
        self._untagged = {_id(photo): self.root / photo for photo in untagged if _id(photo) not in self._paths}

    def _faults(self) -> Iterator[str]:
        """What is wrong with the tags file, line by line."""
        for photo, names in self._names.items():
            if not names:
                yield f"{self.tags_file}: photo '{photo}' has no tag; tag it or take its line out"
            for name in names:
                if name not in self.class_names:
                    yield (
                        f"{self.tags_file}: photo '{photo}' has the unknown tag '{name}'."
                        f"{nearest(name, self.class_names)} Known: {', '.join(self.class_names)}"
                    )
            if not (self.root / photo).is_file():
                yield f"{self.tags_file}: photo '{photo}' is not in {self.root}"
        if len(self._paths) < len(self._names):
            yield f"{self.root}: two photos differ only in their suffix; rename one"

    def ids(self, split: Split) -> list[str]:
        """`train` and `seed`: the tagged photos; `val`: the other photos, or the tagged ones if there is no other."""
        if split == "test":
            return []
        return list(self._untagged if split == "val" and self._untagged else self._paths)

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        return self._paths.get(image_id) or self._untagged[image_id]

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return self.masks / f"{image_id}.png" if self.masks else None

    def tags(self, image_id: str) -> NDArray[np.int64]:  # noqa: D102
        return np.array(self._tags[image_id], dtype=np.int64)

    def _read_tags_file(self) -> dict[str, list[str]]:
        """Tag names by photo, in the file's order."""
        path = self.tags_file
        if not path.is_file():
            raise UserError(f"{path}: no such tags file; set dataset.tags (CSV or JSON, see `TagFolder`)")
        try:
            names = _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: not UTF-8 text ({error})") from None
        if not names:
            raise UserError(f"{path}: names no photo")
        return names


def _id(photo: str) -> str:
    """A photo's id: its path in the folder without the suffix."""
    return Path(photo).with_suffix("").as_posix()


def _from_json(path: Path) -> dict[str, list[str]]:
    try:
        content = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict) or not all(isinstance(names, list) for names in content.values()):
        raise UserError(f'{path}: expected an object like {{"photo.jpg": ["dog", "person"]}}')
    return {photo: [str(name) for name in names] for photo, names in content.items()}


def _from_csv(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if any(cell.strip() for cell in row)]
    if not rows or len(rows[0]) < 2 or rows[0][0].lower() not in ("image", "photo", "file", "filename"):
        raise UserError(f"{path}: line 1 must be the header `image,tags` or `image,<class>,<class>…`")
    header, names = rows[0], {}
    for line, row in enumerate(rows[1:], start=2):
        photo = row[0]
        if photo in names:
            raise UserError(f"{path}: line {line} names photo '{photo}' again")
        if len(row) > len(header):
            raise UserError(f"{path}: line {line} has {len(row)} fields, the header {len(header)}; join tags with ';'")
        if header[1:] == ["tags"]:
            names[photo] = [name.strip() for cell in row[1:] for name in cell.split(";") if name.strip()]
        else:
            for cell in row[1:]:
                if cell not in ("0", "1", ""):
                    raise UserError(f"{path}: line {line}: '{cell}' under a class column must be 0 or 1")
            names[photo] = [name for name, cell in zip(header[1:], row[1:], strict=False) if cell == "1"]
    return names
