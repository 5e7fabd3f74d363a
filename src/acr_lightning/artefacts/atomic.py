"""Files that are whole or absent: written under a temporary name, then renamed.

What a stage writes into its own folder goes this way; what a person names, by `own_files`, which asks first.
"""

import csv
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from acr_lightning.errors import UserError

SUFFIX = ".tmp"
# In a temporary file's name: this machine (or container). Process numbers mean nothing on another one.
MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
KINDS = {
    stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


_only_reads = False


class OnlyReadingError(UserError):
    """Something would be written in a block of `only_reading`."""


@contextmanager
def only_reading() -> Iterator[None]:
    """Let nothing be written while the block lasts, whatever a stranger's file asks for."""
    global _only_reads
    _only_reads = True
    try:
        yield
    finally:
        _only_reads = False


def require_writing(path: str | Path) -> None:
    """Check that this is no place where things are only read.

    Raises:
        OnlyReadingError: it is (see `only_reading`).
    """
    if _only_reads:
        raise OnlyReadingError(f"{path}: would be written, where only reading is meant")


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Let an error of the system that names no file (a failed write), or a temporary one, name this one."""
    try:
        yield
    except OSError as error:
        if error.errno and (error.filename is None or str(error.filename).endswith(SUFFIX)):
            error.filename = str(path)
        raise


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary file that is renamed to `path` only when the block ends without an error.

    It lies in the same folder, so the rename is atomic; its name starts with a dot and ends in `.tmp`, so no reader
    takes it for an artefact when a killed process leaves it behind. A link is replaced, never written through.

    Raises:
        UserError: what is there is neither a file nor a link.
    """
    path = Path(path)
    require_writing(path)
    require_replaceable(path, "a file", "a link")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the whole name: with what is added, a long one would be longer than a file system takes.
        prefix = f".{path.name[:50]}.acr-{MACHINE}-{os.getpid()}-"
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=SUFFIX)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            # mkstemp makes private files; an artefact gets the rights any new file of this user would have.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder beside `path` that is renamed to it only when the block ends without an error.

    Raises:
        UserError: something is there already.
    """
    path = Path(path)
    require_writing(path)
    if (there := kind(path)) is not None:
        raise UserError(f"{path}: is there already, {there}; move it away, or write elsewhere")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name[:50]}.acr-{MACHINE}-{os.getpid()}-{secrets.token_hex(4)}"
        temporary.mkdir()
        try:
            yield temporary
            temporary.rename(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` only when the block ends without an error (see `atomic_path`)."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


def kind(path: Path) -> str | None:
    """What is there, `a file`, `a link` and so on, without following a link; None where there is nothing."""
    try:
        return KINDS.get(stat.S_IFMT(path.lstat().st_mode), "no file")
    except OSError:  # whatever else is wrong with the path is said when it is written to
        return None


def require_replaceable(path: Path, *kinds: str) -> None:
    """Check that nothing is there, or something of these kinds.

    Raises:
        UserError: it is of another kind.
    """
    if (there := kind(path)) is not None and there not in kinds:
        raise UserError(f"{path}: is {there}, which is never replaced; write elsewhere")


def remove_leftovers_of_the_dead(folder: Path) -> None:
    """Remove the temporary files in a folder, not below it, of processes of this machine that are no more."""
    names = re.compile(rf"\..*\.acr-{MACHINE}-(\d+)-\w+{re.escape(SUFFIX)}", re.DOTALL)
    for path in folder.glob(f".*.acr-*{SUFFIX}"):
        if (holder := names.fullmatch(path.name)) and not _is_alive(int(holder[1])):
            path.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed processes left; only when nobody writes into the folder any more."""
    for path in folder.rglob(f".*{SUFFIX}"):
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic_write(path) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, atomically."""
    write_text(path, as_json(value))


def as_csv(rows: Iterable[Iterable[Any]]) -> str:
    """Rows as a file of CSV has them, with what separates cells in quotes."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def as_json(value: Any) -> str:
    """A value as a file of JSON has it: indented, with sorted keys."""
    return json.dumps(value, indent=2, sort_keys=True) + "\n"
