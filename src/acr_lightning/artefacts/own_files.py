"""Files where a person says: what is there is replaced only if this program wrote it and nobody changed it since.

Beside such files lies `.acr_files`, a line `<SHA-256>  <name>` for whatever a file was given. So files of any format
are told apart, a copied folder stays known, and what somebody mended by hand is theirs. A line is written before its
file: a kill between the two leaves a line too many, never a file that the same command would then refuse.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from acr_lightning.artefacts.atomic import atomic_write, kind, remove_leftovers_of_the_dead, require_replaceable
from acr_lightning.errors import UserError

RECORD = ".acr_files"


def write_own(path: str | Path, content: bytes | str) -> None:
    """Write a file where a person says, atomically; text as UTF-8.

    Raises:
        UserError: see `require_own`.
    """
    path, content = Path(path), content.encode() if isinstance(content, str) else content
    _require_own(path)
    digest = hashlib.sha256(content).hexdigest()
    if not _is_recorded(path, digest):
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / RECORD).open("ab") as record:
            record.write(_line(path, digest))
    with atomic_write(path) as file:
        file.write(content)


def write_all_own(folder: str | Path, contents: Mapping[str, str]) -> None:
    """Write texts by their names into a folder, all or, where one of them is refused, none (see `write_own`)."""
    require_replaceable(Path(folder), "a folder", "a link")
    require_own(Path(folder, name) for name in contents)
    for name, content in contents.items():
        write_own(Path(folder, name), content)


def require_own(paths: Iterable[str | Path]) -> None:
    """Check that all these files may be written, and clear away what killed commands left beside them.

    Raises:
        UserError: there is something that this program did not write, or not as it is now; or no file at all.
    """
    files = [Path(path) for path in paths]
    for file in files:
        _require_own(file)
    for folder in {file.parent for file in files}:
        remove_leftovers_of_the_dead(folder)


def is_own(path: Path) -> bool:
    """Whether a file is as this program wrote it where a person said."""
    if kind(path) != "a file" or kind(path.parent / RECORD) != "a file":
        return False
    with path.open("rb") as file:
        return _is_recorded(path, hashlib.file_digest(file, "sha256").hexdigest())


def _require_own(path: Path) -> None:
    require_replaceable(path, "a file")
    require_replaceable(path.parent / RECORD, "a file")
    if kind(path) and not is_own(path):
        raise UserError(
            f"{path}: is there and is not, or no longer, what this program wrote; move it away, or write elsewhere"
        )


def _is_recorded(path: Path, digest: str) -> bool:
    record = path.parent / RECORD
    return kind(record) == "a file" and _line(path, digest) in record.read_bytes()


def _line(path: Path, digest: str) -> bytes:
    """A file's line, which begins with its line break as well: a full disk may have cut the line before."""
    return f"\n{digest}  ".encode() + os.fsencode(path.name) + b"\n"
