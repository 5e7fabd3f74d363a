"""What files hold, told by their content, which is read again only where it may have changed."""

import hashlib
import json
import time
from contextlib import suppress
from pathlib import Path

from acr_lightning.artefacts.atomic import write_json

# Seconds. A file that is as new as this may change again without a later time stamp.
FRESH = 2.0


class FileDigests:
    """The SHA-256 of files, remembered by size and times, so that a copied or touched file is read once and no more.

    Args:
        path: of the JSON file that remembers; one that cannot be read or written remembers nothing, as None does.
    """

    def __init__(self, path: Path | None) -> None:
        self.path, self.grown = path, False
        self.known: dict[str, list[object]] = {}
        with suppress(OSError, ValueError):
            content = json.loads(path.read_text()) if path else None
            self.known = content if isinstance(content, dict) else {}

    def of(self, path: Path) -> str:
        """The digest of a file's content, in a bucket the bucket's own; `missing` where there is no file."""
        if etag := getattr(path, "etag", ""):  # in a bucket; anything else would have to be fetched
            return str(etag)
        try:
            stat = path.stat()
            state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
            match self.known.get(str(path)):
                case [*old_state, str(digest)] if old_state == state:
                    return digest
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return "missing"
        # In a bucket there may be no time at all: the size alone tells nothing.
        if 0 < max(stat.st_mtime, stat.st_ctime) < time.time() - FRESH:
            self.known[str(path)], self.grown = [*state, digest], True
        return digest

    def of_labels(self, folder: Path) -> str:
        """The digest of the label maps below a folder, of their names and contents."""
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("[!.]*.png")):
            digest.update(f"{path.relative_to(folder).as_posix()} {self.of(path)}\n".encode())
        return digest.hexdigest()

    def keep(self) -> None:
        """Remember what was read."""
        if self.grown and self.path:
            with suppress(OSError):
                write_json(self.path, self.known)
            self.grown = False
