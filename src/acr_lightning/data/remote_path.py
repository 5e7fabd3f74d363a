"""Photos that lie in a bucket: paths of anything that fsspec reaches, with what data sets ask of a path."""

import io
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import IO, Any, TypeVar, cast

from acr_lightning.errors import UserError

Answer = TypeVar("Answer")


def location(place: str) -> Path:
    """Where a data set lies: a folder, or an address (`s3://bucket/VOC2012`) with the same methods for reading."""
    return cast(Path, RemotePath(place)) if "://" in place else Path(place)


class RemotePath(PurePosixPath):
    """A file or folder behind an address of fsspec's: `s3://bucket/1.jpg`, `simplecache::gs://bucket/1.jpg`.

    A folder is listed once in a process: what changes there while a command runs is not seen. Nothing is written.
    """

    def __str__(self) -> str:
        return re.sub(":/(?!/)", "://", super().__str__())

    def _ask(self, question: Callable[[Any, str], Answer]) -> Answer:
        """What a file system says to a question about this path; a UserError where it cannot be reached."""
        from fsspec.core import url_to_fs

        try:
            # fsspec keeps it, for each process its own: a connection does not outlive a fork.
            return question(*url_to_fs(str(self)))
        except FileNotFoundError:
            raise
        except ImportError as error:
            raise UserError(f"{self}: {error}; for s3 it is pip install '.[stream]'") from None
        except Exception as error:  # each file system has its own
            raise UserError(f"{self}: cannot be reached ({' '.join(str(error).split())})") from None

    @property
    def _entry(self) -> dict[str, Any]:
        return _entries(self.parent).get(self.name, {})

    @property
    def etag(self) -> str:
        """What a store knows a file's content by; empty where it knows nothing, or only what other bytes may share."""
        etag = str(self._entry.get("ETag") or "")
        return "" if etag.startswith("W/") else etag

    def is_dir(self) -> bool:  # noqa: D102
        return bool(_entries(self))

    def is_file(self) -> bool:  # noqa: D102
        return self._entry.get("type") == "file"

    def is_symlink(self) -> bool:  # noqa: D102
        return False

    def stat(self) -> SimpleNamespace:
        """Size, and time of change where the file system tells one."""
        if not self.is_file():
            raise FileNotFoundError(2, "No such file", str(self))
        time = self._entry.get("LastModified") or self._entry.get("mtime") or self._entry.get("created") or 0
        seconds = time.timestamp() if hasattr(time, "timestamp") else float(time)
        nanoseconds = int(seconds * 1e9)
        return SimpleNamespace(
            st_size=self._entry["size"],
            st_mtime=seconds, st_mtime_ns=nanoseconds, st_ctime=seconds, st_ctime_ns=nanoseconds,
        )  # fmt: skip

    def iterdir(self) -> "Iterator[RemotePath]":  # noqa: D102
        return (self / name for name in _entries(self))

    def glob(self, pattern: str) -> "Iterator[RemotePath]":  # noqa: D102
        return (path for path in self.iterdir() if path.match(pattern))

    def rglob(self, pattern: str) -> "Iterator[RemotePath]":  # noqa: D102
        for path in self.iterdir():
            if path.match(pattern):
                yield path
            if not path.is_file():
                yield from path.rglob(pattern)

    def read_bytes(self) -> bytes:
        """All of a file, in one request."""
        return self._ask(lambda system, path: cast(bytes, system.cat_file(path)))

    def read_text(self, encoding: str = "utf-8") -> str:  # noqa: D102
        return self.read_bytes().decode(encoding)

    def open(self, mode: str = "r", encoding: str | None = None) -> IO[Any]:
        """A text is read part by part, bytes at once."""
        if "b" in mode:
            return io.BytesIO(self.read_bytes())
        return io.TextIOWrapper(self._ask(lambda system, path: cast(IO[bytes], system.open(path))), encoding)


@cache
def _entries(folder: RemotePath) -> dict[str, dict[str, Any]]:
    """What is in a folder, by name; empty where there is none."""

    def listed(system: Any, path: str) -> dict[str, dict[str, Any]]:
        # A file lists itself, and some stores keep an empty object for a folder.
        entries = ((entry["name"].rstrip("/"), entry) for entry in system.ls(path, detail=True))
        own = path.rstrip("/")
        return {
            name.rpartition("/")[2]: entry for name, entry in sorted(entries, key=lambda one: one[0]) if name != own
        }

    try:
        return folder._ask(listed)
    except FileNotFoundError:
        return {}
