"""A folder of photos and one file of tags: the user's own data, no masks needed."""

import inspect
import os
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import MOST_CLASSES
from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.data.class_faults import class_faults
from acr_lightning.data.images import SUFFIXES, photos_below
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.data.tags_file import TaggedPhoto, read_tags, tags_of_folders
from acr_lightning.errors import UserError, nearest, shown


class TagFolder(TaggedDataset):
    """Photos in a folder, tags in a CSV or JSON file, or in the names of subfolders.

    The tags file is one of:

    * CSV `image,tags` (or `file,labels`), several tags joined by `;`, `|` or a quoted comma: `beach/1.jpg,dog;person`
    * CSV with a column a class and 0 or 1 in it: `image,dog,person`
    * JSON: `{"beach/1.jpg": ["dog", "person"]}`

    Fields are parted by commas, semicolons or tabs, whichever the header has most of.

    Photos are named by their path from `root`, or by an absolute one that leads into it. Every photo named in the file
    is trained on and gets a pseudo-label; the photos that the file does not name are what the segmentation network
    predicts on (all photos, if it names all).

    Args:
        root: the folder of photos (subfolders are fine).
        tags: the tags file, relative to `root` or to the working folder; null: the subfolder that a photo lies in is
            its tag (`dog/1.jpg`).
        classes: the classes, in the order of their labels; if null, all tags of the file in alphabetical order.
        masks: a folder of masks `<photo name>.png` (0 background, 1..K in the order of `classes`, 255 not scored),
            used for scoring only; null: nothing is scored.
        negatives: photos without a tag are trained on as well, as photos that show none of the classes.

    Raises:
        UserError: the root or the tags file is missing, a line names a photo that is not in `root`, a photo has no tag
            (see `negatives`), a tag is not one of `classes`, or there are more than 254 or one that cannot be meant.
    """

    def __init__(
        self,
        root: str,
        tags: str | None = "tags.csv",
        classes: list[str] | None = None,
        masks: str | None = None,
        negatives: bool = False,
    ) -> None:
        for fault in self._faults(self._read(root, tags, classes, masks, negatives)):
            raise UserError(fault)

    @classmethod
    def with_faults(cls, **arguments: Any) -> "tuple[TagFolder, list[str]]":
        """What a folder and its tags say, whether they fit or not, and what does not fit, one line each.

        Args:
            **arguments: those of the class.

        Raises:
            UserError: the root, the tags file or the folder of masks is missing or cannot be read.
        """
        folder = cls.__new__(cls)
        call = inspect.signature(cls).bind(**arguments)
        call.apply_defaults()
        return folder, list(folder._faults(folder._read(**call.arguments)))

    @classmethod
    def setup_faults(cls, **arguments: Any) -> list[str]:  # noqa: D102
        try:
            return cls.with_faults(**arguments)[1]
        except UserError as error:
            return [str(error)]

    def _read(
        self, root: str, tags: str | None, classes: list[str] | None, masks: str | None, negatives: bool
    ) -> list[TaggedPhoto]:
        """Read the folder and the file, whether they fit or not; returns the file's lines."""
        self.root = Path(root)
        if not self.root.is_dir():
            raise UserError(f"{root}: no such folder of photos; set dataset.root")
        self.masks, self.negatives = Path(masks) if masks else None, negatives
        if self.masks and not self.masks.is_dir():
            raise UserError(f"{masks}: no such folder of masks; set dataset.masks, or leave it out")
        if tags is None:
            if not (lines := tags_of_folders(self._photos())):
                raise UserError(f"{root}: no photo lies in a subfolder, whose name would be its tag; set dataset.tags")
        else:
            file = self.root / tags if (self.root / tags).is_file() else Path(tags)
            lines = [line._replace(photo=self._from_root(line.photo)) for line in read_tags(file)]
        self.class_names = tuple(classes or sorted({name for line in lines for name in line.tags}))
        index = {name: number for number, name in enumerate(self.class_names)}
        self._paths = {_id(line.photo): self.root / line.photo for line in lines}
        self._tags = {_id(line.photo): sorted({index[name] for name in line.tags if name in index}) for line in lines}
        self._untagged = {_id(photo): self.root / photo for photo in self._photos() if _id(photo) not in self._paths}
        return lines

    def _from_root(self, photo: str) -> str:
        """A photo of the tags file by its path from the root; an absolute path that leads elsewhere stays as it is."""
        for root in (os.path.abspath(self.root), os.path.realpath(self.root)):
            if PurePosixPath(photo).is_relative_to(root):
                return str(PurePosixPath(photo).relative_to(root))
        return str(PurePosixPath(photo)) if photo else photo

    def _photos(self) -> list[str]:
        """Every photo in the folder, by its path from the root, without hidden ones and masks."""
        return [
            path.relative_to(self.root).as_posix()
            for path in photos_below(self.root)
            if self.masks is None or self.masks not in path.parents
        ]

    def _faults(self, lines: list[TaggedPhoto]) -> Iterator[str]:
        """What is wrong with the tags file, line by line, and with the names of the other photos."""
        yield from class_faults(self.class_names)
        if len(self.class_names) > MOST_CLASSES:
            return
        first: dict[str, str] = {}
        for line in lines:
            if fault := _name_fault(line.photo):
                yield (
                    f"{line.where}: photo {shown(line.photo)} {fault}; name photos by their path in {self.root}."
                    f"{self._did_you_mean(line.photo)}"
                )
                continue
            yield from self._tag_faults(line)
            if not (self.root / line.photo).is_file():
                yield f"{line.where}: photo '{line.photo}' is not in {self.root}.{self._did_you_mean(line.photo)}"
            if (other := first.setdefault(_id(line.photo), line.where)) != line.where:
                yield f"{line.where}: photo '{line.photo}' has the same name, without suffix, as {other}; rename one"
        for photo in self._untagged.values():
            name = photo.relative_to(self.root).as_posix()
            if fault := _name_fault(name):
                yield f"{self.root}: photo {shown(name)} {fault}; rename it"

    def _tag_faults(self, line: TaggedPhoto) -> Iterator[str]:
        if not line.tags and not self.negatives:
            yield f"{line.where}: photo '{line.photo}' has no tag; tag it, take its line out, or set dataset.negatives"
        for name in line.tags:
            if name not in self.class_names:
                yield (
                    f"{line.where}: photo '{line.photo}' has the unknown tag {shown(name)}."
                    f"{nearest(name, self.class_names)} Known: {', '.join(self.class_names)}"
                )

    def _did_you_mean(self, photo: str) -> str:
        """The photo whose name differs in case, suffix or slashes alone, as a question."""
        near = self._by_plain_name.get(_plain_name(photo))
        return f" Did you mean '{near}'?" if near else ""

    @cached_property
    def _by_plain_name(self) -> dict[str, str]:
        return {_plain_name(photo): photo for photo in self._photos()}

    def ids(self, split: Split) -> list[str]:
        """`train` and `seed`: the tagged photos; `val`: the other photos, or the tagged ones if there is no other."""
        if split == "test":
            return []
        return list(self._untagged if split == "val" and self._untagged else self._paths)

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        path = self._paths.get(image_id) or self._untagged.get(image_id)
        if path is None:
            raise UserError(f"{self.root}: no photo of the id {shown(image_id)}")
        return path

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return self.masks / f"{image_id}.png" if self.masks else None

    def tags(self, image_id: str) -> NDArray[np.int64]:  # noqa: D102
        return np.array(self._tags.get(image_id, ()), dtype=np.int64)


def _id(photo: str) -> str:
    """A photo's id: its path in the folder without the suffix."""
    path = PurePosixPath(photo)
    return str(path.with_suffix("")) if path.name else photo


def _name_fault(photo: str) -> str | None:
    return id_fault(photo, suffix="") or id_fault(_id(photo))


def _plain_name(photo: str) -> str:
    """What a name is on another system, or without its suffix."""
    path = unicodedata.normalize("NFKC", photo).replace("\\", "/")
    return (_id(path) if PurePosixPath(path).suffix.lower() in SUFFIXES else path).casefold()
