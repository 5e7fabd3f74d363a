"""Unpacking an archive: nothing leads out of its folder, and a folder that is there is whole."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from acr_lightning.errors import UserError


def unpack(archive: Path, folder: Path, inside: str, place: str) -> None:
    """Unpack an archive beside its place, then rename a folder of it into that.

    Args:
        archive: `.tar`, `.tgz` or `.zip`.
        folder: of all data.
        inside: the folder in the archive.
        place: where it goes below `folder`.

    Raises:
        UserError: the archive is damaged, lacks the folder, or has a member that leads out of it.
        OSError: it cannot be unpacked here.
    """
    temporary = folder / f".{archive.name}.unpacking"  # one name, so that a killed attempt is cleared away by the next
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _extract(archive, temporary)
        if not (temporary / inside).is_dir():
            raise UserError(f"{archive}: has no folder {inside}; is it the right archive?")
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (temporary / inside).rename(folder / place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zip_file:
                zip_file.extractall(folder)  # it takes `..` and the like out of names, and makes no links
        else:
            with tarfile.open(archive) as tar_file:
                tar_file.extractall(folder, filter="data")
    except Exception as error:  # each library raises its own, for damaged gzip an OSError that is not the system's
        if isinstance(error, OSError) and error.errno:
            raise
        raise UserError(f"{archive}: cannot be unpacked ({error}); remove it and download it again") from None
