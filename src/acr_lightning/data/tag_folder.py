"""A folder of photos and their tags: the user's own data, no masks needed."""

import inspect
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import MOST_CLASSES
from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.data.class_faults import class_faults
from acr_lightning.data.folder_state import State, folder_state, is_settled, is_unchanged
from acr_lightning.data.images import photos_below
from acr_lightning.data.remote_path import location
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.data.tags.folders import split_in
from acr_lightning.data.tags.photo_names import PhotoNames, without_suffix
from acr_lightning.data.tags.side_cars import PATTERN
from acr_lightning.data.tags.tagged_photo import TaggedPhoto
from acr_lightning.data.tags.tags_of import tags_of
from acr_lightning.errors import Faults, UserError, nearest, shown

# What this process read last, with its arguments and the folder's state: ten stages need it, some several times, and
# those that are copies of this process have it, too.
_last: dict[str, tuple[str, State, dict[str, Any]]] = {}


class TagFolder(TaggedDataset):
    """Photos in a folder, tags in a file, in a text beside each photo, or in the names of subfolders.

    A tags file is told by its content; `docs/photos.md` shows each form:

    * CSV: a line a photo, `image,tags`, several tags joined by `;`, `|` or a quoted comma, or written as a list; a line
      a tag, `image,label`; a column a class with 0 or 1 in it, `image,dog,person`; Open Images'
    * JSON: `{"beach/1.jpg": ["dog", "person"]}`, `[{"image": …, "tags": […]}]`, JSON lines of such objects; COCO's,
      FiftyOne's, Label Studio's (JSON and JSON-MIN)
    * XML: CVAT's

    Photos are named by their path from `root`, or by as much of its end as no other photo shares; the suffix may be
    missing, and an absolute path will do. What is hidden is no photo, and no link that leads out of `root` is followed.

    Splits are folders called `train`, `val` or `test` (or `valid`, `train2017` …), or a file's own; without any, all
    is `train`. Every tagged photo of `train` is trained on and gets a pseudo-label; the segmentation network predicts
    on `val` and on the photos without a tag (on `train`, if there are neither).

    Args:
        root: the folder of photos (subfolders are fine), or its address in a bucket (`s3://…`).
        tags: the tags file, relative to `root` or to the working folder, or the name of one in each split's folder;
            `*.txt`: the text beside a photo (`1.txt` beside `1.jpg`) holds its tags; null: the subfolder that a photo
            lies in is its tag (`dog/1.jpg`, with splits `train/dog/1.jpg`).
        classes: the classes, in the order of their labels; if null, all tags in alphabetical order. A subfolder that is
            called like a split is a class only if it is one of these.
        masks: a folder of masks `<photo name>.png` (0 background, 1..K in the order of `classes`, 255 not scored), for
            all photos or for some, used for scoring only; null: nothing is scored.
        negatives: photos that the tags file names without a tag are trained on as well, as photos that show none of
            the classes; a word: those with this tag, or in this subfolder, are (`good`, of good and bad parts).

    Raises:
        UserError: the root or the tags file is missing, a line names a photo that is not in `root`, a tag is not one
            of `classes`, a folder may be a class or a split, no photo is left to train on, or there are more than 254
            classes or one that cannot be meant.
    """

    masks_of_some = True

    def __init__(
        self,
        root: str,
        tags: str | None = "tags.csv",
        classes: list[str] | None = None,
        masks: str | None = None,
        negatives: bool | str = False,
    ) -> None:
        arguments, kept = repr((type(self), Path.cwd(), root, tags, classes, masks, negatives)), _last.get("folder")
        if kept and kept[0] == arguments and is_unchanged(kept[1]):
            self.__dict__.update(kept[2])
            return
        places = [Path(), Path(root), *Path(root).glob("*/")] if tags else []
        state = folder_state(Path(root), [place / str(tags) for place in places])
        is_kept = tags != PATTERN and is_settled(state)  # the texts beside photos change without their folder
        if faults := list(self._faults(self._read(root, tags, classes, masks, negatives))):
            raise Faults(*faults)
        if is_kept:
            _last["folder"] = (arguments, state, dict(self.__dict__))

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

    def _read(
        self, root: str, tags: str | None, classes: list[str] | None, masks: str | None, negatives: bool | str
    ) -> list[TaggedPhoto]:
        """Read the folder and the tags, whether they fit or not; returns the tags' lines."""
        self.root = location(root)
        if not self.root.is_dir():
            raise UserError(f"{root}: no such folder of photos; set dataset.root")
        self.masks = location(masks) if masks else None
        if self.masks and not self.masks.is_dir():
            raise UserError(f"{masks}: no such folder of masks; set dataset.masks, or leave it out")
        self.form, lines = tags_of(self.root, tags, self._names, classes or [])
        tagged = [line for line in lines if line.tags or negatives is True]
        if isinstance(negatives, str):
            if not any(negatives in line.tags for line in lines):
                raise UserError(
                    f"{root}: no photo is tagged {shown(negatives)}; set dataset.negatives to a tag, or true"
                )
            lines, tagged = ([_without(negatives, line) for line in several] for several in (lines, tagged))
        self.class_names = tuple(classes or sorted({name for line in lines for name in line.tags}))
        index = {name: number for number, name in enumerate(self.class_names)}
        self._paths = {without_suffix(line.photo): self.root / line.photo for line in tagged}
        self._tags_of = {
            without_suffix(line.photo): sorted({index[name] for name in line.tags if name in index}) for line in tagged
        }
        ids = {without_suffix(photo): photo for photo in self._names.photos}
        self._untagged = {one: self.root / photo for one, photo in ids.items() if one not in self._paths}
        self._splits = {one: split_in(ids[one]) for one in self._untagged}
        self._splits |= {without_suffix(line.photo): line.split for line in tagged}
        if self.masks and not any(map(self.has_mask, ids)) and (mask := next(self.masks.rglob("*.png"), None)):
            photo = next(iter(ids), "a")
            raise UserError(
                f"{mask}: is called like no photo, nor is any other mask there; call that of {photo} {photo}.png"
            )
        return lines

    @cached_property
    def _names(self) -> PhotoNames:
        """Every photo in the folder, without hidden ones, masks and links that lead out of it."""
        return PhotoNames(
            self.root,
            (
                path.relative_to(self.root).as_posix()
                for path in photos_below(self.root)
                if (self.masks is None or self.masks not in path.parents)
                and not (path.is_symlink() and self._leads_out(path))
            ),
        )

    def _leads_out(self, path: Path) -> bool:
        return not path.resolve().is_relative_to(self._resolved_root)

    @cached_property
    def _resolved_root(self) -> Path:
        return self.root.resolve()

    def _faults(self, lines: list[TaggedPhoto]) -> Iterator[str]:
        """What is wrong with the tags, line by line, and with the names of the other photos."""
        yield from class_faults(self.class_names)
        if len(self.class_names) > MOST_CLASSES:
            return
        first: dict[str, str] = {}
        for line in lines:
            if fault := _name_fault(line.photo):
                yield (
                    f"{line.where}: photo {shown(line.photo)} {fault}; name photos by their path in {self.root}."
                    f"{self._names.near(line.photo)}"
                )
                continue
            yield from self._tag_faults(line)
            if not (self.root / line.photo).is_file():
                yield f"{line.where}: photo '{line.photo}' is not in {self.root}.{self._names.near(line.photo)}"
            elif line.photo not in self._names.photos and self._leads_out(self.root / line.photo):
                yield f"{line.where}: photo '{line.photo}' is a link out of {self.root}; copy the photo"
            if (other := first.setdefault(without_suffix(line.photo), line.where)) != line.where:
                yield f"{line.where}: photo '{line.photo}' has the same name, without suffix, as {other}; rename one"
        for photo in self._untagged.values():
            name = photo.relative_to(self.root).as_posix()
            if fault := _name_fault(name):
                yield f"{self.root}: photo {shown(name)} {fault}; rename it"
        if not self.ids("train"):
            yield f"{self.root}: no photo to train on: none is of the split train and has a tag"

    def _tag_faults(self, line: TaggedPhoto) -> Iterator[str]:
        for name in line.tags:
            if name not in self.class_names:
                yield (
                    f"{line.where}: photo '{line.photo}' has the unknown tag {shown(name)}."
                    f"{nearest(name, self.class_names)} Known: {', '.join(self.class_names)}"
                )

    def ids(self, split: Split) -> list[str]:
        """The photos of a split.

        `train` and `seed`: the tagged photos that are of no other split; `val`: those of `val` and the untagged ones
        but the test's, or, if there is none, those of `train`; `test`: the photos of that split.
        """
        train = [one for one in self._paths if self._splits[one] in (None, "train")]
        if split == "test":
            return [one for one in (*self._paths, *self._untagged) if self._splits[one] == "test"]
        if split != "val":
            return train
        tagged = [one for one in self._paths if self._splits[one] == "val"]
        return tagged + [one for one in self._untagged if self._splits[one] != "test"] or train

    def image_path(self, image_id: str) -> Path:  # noqa: D102
        path = self._paths.get(image_id) or self._untagged.get(image_id)
        if path is None:
            raise UserError(f"{self.root}: no photo of the id {shown(image_id)}")
        return path

    def mask_path(self, image_id: str) -> Path | None:  # noqa: D102
        return self.masks / f"{image_id}.png" if self.masks else None

    def tags(self, image_id: str) -> NDArray[np.int64]:  # noqa: D102
        return np.array(self._tags_of.get(image_id, ()), dtype=np.int64)


def _without(tag: str, line: TaggedPhoto) -> TaggedPhoto:
    return line._replace(tags=[one for one in line.tags if one != tag])


def _name_fault(photo: str) -> str | None:
    return id_fault(photo, suffix="") or id_fault(without_suffix(photo))
