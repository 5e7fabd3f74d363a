"""Files that are whole or absent: written under a temporary name, then renamed."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

SUFFIX = ".tmp"


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
    takes it for an artefact when a killed process leaves it behind.
    """
    path = Path(path)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not the whole name: with what is added, a long one would be longer than a file system takes.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=SUFFIX)
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
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears under `path` only when the block ends without an error (see `atomic_path`)."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file


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
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")
