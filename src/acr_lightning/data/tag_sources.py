"""Looking for the tags of a folder of photos."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from acr_lightning.data.class_faults import require_class_names
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.errors import UserError

SUFFIXES = (".csv", ".tsv", ".txt", ".json")


class TagSource(NamedTuple):
    """Where the tags of a folder are.

    Attributes:
        tags: `TagFolder`'s argument: a file in the folder, or None for the names of subfolders.
        photos: how many photos each class has, the most frequent class first.
        untagged: how many photos have no tag.
        faults: what is wrong, one line each.
    """

    tags: str | None
    photos: dict[str, int]
    untagged: int
    faults: list[str]


def find_tags(root: Path) -> TagSource:
    """The tags file in a folder of photos that names most of them, else the subfolders that the photos lie in.

    Raises:
        UserError: there is no such folder, neither of the two, or a class is called what none can be.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of photos")
    files = sorted(path.name for path in root.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    of_files = [_read(root, name) for name in files]
    sources = [source for source in (*of_files, _read(root, None)) if isinstance(source, TagSource)]
    if not sources and (faults := [fault for fault in of_files if fault]):
        raise UserError(f"{root}: no tag of a photo found; {faults[0]}")
    if not sources:
        raise UserError(
            f"{root}: no tags found; put a file tags.csv there, whose header is `image,tags` and whose lines look like "
            "`beach/1.jpg,dog;person`, or sort the photos into subfolders, one a class"
        )
    # A file that names one photo is worth more than subfolders, which may mean anything.
    best = max(sources, key=lambda source: (source.tags is not None, sum(source.photos.values())))
    require_class_names(sorted(best.photos), str(root / (best.tags or "")))
    return best


def _read(root: Path, tags: str | None) -> TagSource | str:
    """A source's tags, or why it names no photo of the folder, which may be empty."""
    try:
        folder, faults = TagFolder.with_faults(root=str(root), tags=tags)
    except UserError as error:
        return str(error)
    here = [image_id for image_id in folder.ids("train") if folder.image_path(image_id).is_file()]
    photos = Counter(folder.class_names[tag] for image_id in here for tag in folder.tags(image_id))
    if not photos:
        return faults[0] if faults else ""
    others = folder.ids("val")
    untagged = 0 if others == folder.ids("train") else len(others)
    return TagSource(tags, dict(photos.most_common()), untagged, faults)
