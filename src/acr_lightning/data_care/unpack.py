"""Unpacking an archive: nothing leads out of its folder, and a folder that is there is whole."""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from acr_lightning.errors import UserError, shown


def unpack(archive: Path, folder: Path, places: dict[str, str]) -> None:
    """Unpack an archive beside its place, then rename its folders into their places.

    Args:
        archive: `.tar`, `.tgz` or `.zip`.
        folder: of all data.
        places: folder in the archive, and where it goes below `folder`.

    Raises:
        UserError: the archive is damaged, lacks a folder, or has a member that leads out of it; or the disk is full.
    """
    temporary = folder / f".{archive.name}.unpacking"  # one name, so that a killed attempt is cleared away by the next
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        if zipfile.is_zipfile(archive):
            _unpack_zip(archive, temporary)
        else:
            _unpack_tar(archive, temporary)
        for inside, place in places.items():
            if not (temporary / inside).is_dir():
                raise UserError(f"{archive}: has no folder {inside}; is it the right archive?")
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (temporary / inside).rename(folder / place)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UserError(f"{archive}: damaged archive ({error}); remove it and download it again") from None
    except (RuntimeError, OverflowError) as error:  # encrypted, packed in an unknown way, dates of no century
        raise UserError(f"{archive}: cannot be unpacked ({error})") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be unpacked here ({error.strerror or error})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as file:
        try:
            file.extractall(folder, filter="data")
        except tarfile.FilterError as error:
            raise UserError(f"{archive}: not unpacked, a member is not safe ({error})") from None


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/"))
            is_link = stat.S_ISLNK(member.external_attr >> 16)
            if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0] or is_link:
                raise UserError(f"{archive}: not unpacked, its member {shown(member.filename)} is not safe")
        file.extractall(folder)
