"""Looking for the tags of a folder of photos."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from acr_lightning.data.class_faults import require_class_names
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data.tags.read_tags import SUFFIXES
from acr_lightning.data.tags.side_cars import PATTERN
from acr_lightning.data.tags.tags_of import NoTagsError, split_folders
from acr_lightning.errors import UserError

# Where, beside the folder itself, tools put the file of their tags.
ANNOTATIONS = "annotations"


class TagSource(NamedTuple):
    """Where the tags of a folder are.

    Attributes:
        tags: `TagFolder`'s argument.
        folder: what it makes of them.
        photos: how many photos to train on each class has, the most frequent class first.
        faults: what is wrong, one line each.
    """

    tags: str | None
    folder: TagFolder
    photos: dict[str, int]
    faults: list[str]


def find_tags(root: Path, classes: list[str] | None = None, negatives: bool | str = False) -> TagSource:
    """The tags file in a folder of photos with most tags, else the texts beside the photos, else their subfolders.

    Args:
        root: the folder.
        classes: see `TagFolder`.
        negatives: see `TagFolder`.

    Raises:
        UserError: there is no such folder, neither of the two, or a class is called what none can be.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder of photos")
    sources, errors = [], []
    for tags in (None, PATTERN, *_tags_files(root)):
        try:
            folder, faults = TagFolder.with_faults(root=str(root), tags=tags, classes=classes, negatives=negatives)
        except UserError as error:
            errors.append(error)
            continue
        here = [one for one in folder.ids("train") if folder.image_path(one).is_file()]
        photos = Counter(folder.class_names[tag] for one in here for tag in folder.tags(one))
        if photos:
            sources.append(TagSource(tags, folder, dict(photos.most_common()), faults))
        else:
            errors.append(UserError(faults[0] if faults else f"{tags}: names no tag"))
    if not sources:
        why = next((error for error in errors if not isinstance(error, NoTagsError)), None)
        raise UserError(f"{root}: no tag of a photo found; {why}") if why else errors[0]
    # A file that names one photo is worth more than texts, which may be captions, and than subfolders, which may mean
    # anything.
    best = max(sources, key=lambda one: (one.tags is not None, one.tags != PATTERN, sum(one.photos.values())))
    require_class_names(best.folder.class_names, str(root / (best.tags or "")))
    return best


def _tags_files(root: Path) -> list[str]:
    """Files in the folder that may hold tags; neither links, nor what is hidden, nor texts beside a photo."""
    names = []
    for folder in ("", ANNOTATIONS, *split_folders(root)):
        paths = [] if folder and (root / folder).is_symlink() else sorted((root / folder).glob("[!.]*"))
        stems = Counter(path.stem for path in paths)
        for path in paths:
            is_beside = path.suffix.lower() == ".txt" and stems[path.stem] > 1
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink() and not is_beside:
                names.append(f"{folder}/{path.name}" if folder == ANNOTATIONS else path.name)
    return list(dict.fromkeys(names))
