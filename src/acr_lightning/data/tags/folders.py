"""Tags that are the names of folders: `dog/1.jpg`, or with splits `train/dog/1.jpg` and `dog/train/1.jpg`."""

from collections.abc import Collection, Iterable

from acr_lightning.data.tagged import Split
from acr_lightning.data.tags.tagged_photo import TaggedPhoto, Tags, split_of
from acr_lightning.errors import UserError, shown


def tags_of_folders(photos: Iterable[str], classes: Collection[str] = ()) -> Tags:
    """Photos that are tagged with the folder that they lie in; those in no folder of a class are left out.

    The class is the upper folder, or, where a folder is called like a split, the one in it, else the one around it.

    Args:
        photos: paths from the root.
        classes: names that are meant as classes although they look like splits.

    Raises:
        UserError: a folder is called like a split, and may be meant as a class.
    """
    lines: list[TaggedPhoto] = []
    first: dict[bool, str] = {}
    for photo in photos:
        folders = photo.split("/")[:-1]
        # Of a name that is said to be a class, the last folder is one.
        last = len(folders) - (folders[-1:] != [] and folders[-1] in classes)
        splits = [at for at, name in enumerate(folders[:last]) if split_of(name)]
        at = splits[0] if splits else None
        places = [0] if at is None else [at + 1, at - 1]
        tag = next((folders[place] for place in places if 0 <= place < len(folders)), None)
        if tag and split_of(tag) and tag not in classes:
            raise UserError(f"{photo}: its folder {shown(tag)} is called like a split; {_remedy(tag)}")
        if folders:
            first.setdefault(at == 0, folders[0])
        if tag:
            lines.append(TaggedPhoto(photo, photo, [tag], None if at is None else split_of(folders[at])))
    if len(first) > 1:
        raise UserError(
            f"folder {shown(first[True])} is called like a split, folder {shown(first[False])} beside it is not; "
            f"{_remedy(first[True])}"
        )
    return Tags("the names of folders", lines)


def split_in(photo: str) -> Split | None:
    """The split of a photo by the first of its folders that is called like one."""
    return next((split for folder in photo.split("/")[:-1] if (split := split_of(folder))), None)


def _remedy(name: str) -> str:
    return f"rename it, sort the classes' folders into it, or name the classes if it is one: --classes=[{name},…]"
