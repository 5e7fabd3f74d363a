"""Where the file of one image lies: below its folder, whatever the image is called."""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from acr_lightning.errors import UserError, shown

# What a file system takes for one part of a path.
MOST_BYTES = 255
# What no id looks like, and how that is said after its name.
FAULTS = (
    (r"\s*\Z", "is empty"),
    (r"(?s:.{500})", "is longer than 499 characters"),
    (r"/", "is an absolute path"),
    (r"[A-Za-z]:", "begins with a drive letter"),
    (r".*\\", r"holds a backslash (\), folders are parted by /"),
    (r"(?s:.*)[\0-\x1f\x7f]", "holds a control character"),
    (r"(.*/)?\.\.(/|\Z)", "leads out of its folder (..)"),
    (r"(.*/)?\.?(/|\Z)", "has a part that is empty or '.'"),
    (r".*[\ud800-\udfff]", "is not UTF-8 text"),
)


def id_fault(image_id: str, suffix: str = ".png") -> str | None:
    """Why a name cannot be an image's id; None where it can.

    An id is one or more parts joined by `/`, none of them empty, `.` or `..`; so two ids never name one file.

    Args:
        image_id: the name.
        suffix: of the file that is named after it.

    Returns:
        `leads out of its folder (..)` and the like, to be put after the name.
    """
    for pattern, fault in FAULTS:
        if re.match(pattern, image_id):
            return fault
    longest = max(len(part.encode()) for part in f"{image_id}{suffix}".split("/"))
    return f"makes a file name of {longest} bytes, {MOST_BYTES} is the most" if longest > MOST_BYTES else None


def item_path(folder: str | Path, image_id: str, suffix: str) -> Path:
    """`<folder>/<id><suffix>`: every file that is written for an image, and read again, is named here.

    The folder may be a link, and so may a file in it: writers replace that link, they never write through it
    (`artefacts.atomic`).

    Raises:
        UserError: the id is none (see `id_fault`), or a linked folder on the way leads out of `folder`.
    """
    if fault := id_fault(image_id, suffix):
        raise UserError(f"{folder}: no file for the image {shown(image_id)}, its id {fault}")
    path = Path(folder) / f"{image_id}{suffix}"
    if "/" in image_id:
        root, inside = os.path.realpath(folder), os.path.realpath(path.parent)
        if os.path.commonpath([root, inside]) != root:
            raise UserError(f"{path}: a link leads out of {folder}, to {inside}; remove it")
    return path


def without_result(ids: Iterable[str], folder: str | Path, suffix: str, read: Callable[[Path], Any]) -> list[str]:
    """Those of the ids whose file is not there, or cannot be read to its end."""

    def is_whole(path: Path) -> bool:
        try:
            read(path)
        except UserError:
            return False
        return True

    return [image_id for image_id in ids if not is_whole(item_path(folder, image_id, suffix))]
