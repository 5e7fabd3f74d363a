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
# Of a record, by its path and number: how many bytes were read, and the lines. A prediction asks thousands of times.
_READ: dict[tuple[str, int], tuple[int, set[str]]] = {}


def write_own(path: str | Path, content: bytes | str) -> None:
    """Write a file where a person says, atomically; text as UTF-8.

    Raises:
        UserError: see `require_own`.
    """
    path, content = Path(path), content.encode() if isinstance(content, str) else content
    lines = _lines(path.parent)
    _require_own(path, lines)
    line = _line(path, hashlib.sha256(content).hexdigest())
    if line not in lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / RECORD).open("a", encoding="utf-8", errors="surrogateescape") as record:
            record.write(f"\n{line}")  # in this order: a full disk may have cut the line before
    with atomic_write(path) as file:
        file.write(content)


def write_all_own(folder: str | Path, contents: Mapping[str, str]) -> None:
    """Write texts by their names into a folder, all or, where one of them is refused, none (see `write_own`)."""
    require_own(Path(folder, name) for name in contents)
    for name, content in contents.items():
        write_own(Path(folder, name), content)


def require_own(paths: Iterable[str | Path]) -> None:
    """Check that all these files may be written, and clear away what killed commands left beside them.

    Raises:
        UserError: there is something that this program did not write, or not as it is now; or no file at all.
    """
    folders: dict[Path, list[Path]] = {}
    for path in map(Path, paths):
        folders.setdefault(path.parent, []).append(path)
    for folder, files in folders.items():
        remove_leftovers_of_the_dead(folder)
        lines = _lines(folder)
        for path in files:
            _require_own(path, lines)


def _require_own(path: Path, lines: set[str]) -> None:
    require_replaceable(path, "a file")
    if kind(path) and not _is_of(lines, path):
        raise UserError(
            f"{path}: is there and is not, or no longer, what this program wrote; move it away, or write elsewhere"
        )


def is_own(path: Path) -> bool:
    """Whether a file is as this program wrote it where a person said."""
    return kind(path) == "a file" and _is_of(_lines(path.parent), path)


def _is_of(lines: set[str], path: Path) -> bool:
    if not lines:
        return False
    with path.open("rb") as file:
        return _line(path, hashlib.file_digest(file, "sha256").hexdigest()) in lines


def _line(path: Path, digest: str) -> str:
    return f"{digest}  {path.name}"


def _lines(folder: Path) -> set[str]:
    """The lines of a folder's record; what was read of it before is not read again."""
    record = folder / RECORD
    require_replaceable(record, "a file")
    if not kind(record):
        return set()
    with record.open("rb") as file:
        place = (str(record.absolute()), os.fstat(file.fileno()).st_ino)
        read, lines = _READ.get(place, (0, set()))
        file.seek(read)
        content = file.read()
    lines |= set(content.decode("utf-8", "surrogateescape").split("\n"))
    # Another process may have written half of the last line.
    _READ[place] = (read + max(0, content.rfind(b"\n")), lines)
    return lines
