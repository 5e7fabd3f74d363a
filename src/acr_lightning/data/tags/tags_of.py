"""The tags of a folder of photos, wherever they are."""

from collections.abc import Collection
from pathlib import Path

from acr_lightning.data.tags.folders import split_in, tags_of_folders
from acr_lightning.data.tags.photo_names import PhotoNames
from acr_lightning.data.tags.read_tags import read_tags
from acr_lightning.data.tags.side_cars import PATTERN, tags_of_side_cars
from acr_lightning.data.tags.tagged_photo import Tags, split_of
from acr_lightning.errors import UserError


class NoTagsError(UserError):
    """Nothing is there that could be meant as tags."""


def tags_of(root: Path, tags: str | None, names: PhotoNames, classes: Collection[str]) -> Tags:
    """The lines of the tags, each with its photo by the path from the root, and its split by the photo's folder.

    Args:
        root: of the photos.
        tags: see `TagFolder`.
        names: of the photos.
        classes: see `tags_of_folders`.

    Raises:
        UserError: there are none, or they cannot be read.
    """
    if tags not in (None, PATTERN):
        form, lines = _tags_of_files(root, str(tags), names)
    else:
        form, lines = tags_of_side_cars(root, names.photos) if tags else tags_of_folders(names.photos, classes)
    if not lines:
        raise NoTagsError(
            f"{root}: no tags found; put a file tags.csv there, whose header is `image,tags` and whose lines look like "
            "`beach/1.jpg,dog;person`, or sort the photos into subfolders, one a class"
        )
    return Tags(form, [line._replace(split=line.split or split_in(line.photo)) for line in lines] if tags else lines)


def _tags_of_files(root: Path, tags: str, names: PhotoNames) -> Tags:
    """A file's tags, or those of the file in each split's folder, which names photos from there."""
    path = root / tags if (root / tags).is_file() else Path(tags)
    folders = [folder for folder in split_folders(root) if (root / folder / tags).is_file()]
    if path.is_file() or not folders:
        form, lines = read_tags(path)
        return Tags(form, [line._replace(photo=names.find(line.photo)) for line in lines])
    lines = []
    for folder in folders:
        form, own_lines = read_tags(root / folder / tags)
        below = names.below(folder)
        lines += [line._replace(photo=f"{folder}/{below.find(line.photo)}") for line in own_lines]
    return Tags(f"{form}, in each split's folder", lines)


def split_folders(root: Path) -> list[str]:
    """The folders in the root that are called like a split, in the order of their names, without links."""
    return sorted(one.name for one in root.iterdir() if split_of(one.name) and one.is_dir() and not one.is_symlink())
