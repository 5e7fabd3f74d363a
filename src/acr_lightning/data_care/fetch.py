"""Downloading one large file so that a cut connection or a kill costs nothing: HTTP ranges into a `.part` file."""

import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from acr_lightning.data_care.sources import Archive
from acr_lightning.errors import UserError
from acr_lightning.version import __version__

BLOCK = 1 << 20
SECONDS = 60
# Tries in a row that bring nothing, before the next address is taken.
TRIES = 3
# Called with (bytes so far).
Tell = Callable[[int], None]


class NotThisOne(Exception):
    """An address does not have the file; another may."""


def fetch(archive: Archive, folder: Path, tell: Tell = lambda done: None) -> Path:
    """Download an archive, or go on where an earlier call stopped; verify it; then give it its name.

    Args:
        archive: what and from where.
        folder: where it goes.
        tell: called with the number of bytes that are there.

    Raises:
        UserError: no address has it, the connection stays cut, its size or checksum is wrong, or there is too little
            space.
        OSError: it cannot be written.
    """
    target, part = folder / archive.name, folder / f"{archive.name}.part"
    folder.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        if reason := mismatch(target, archive):
            raise UserError(f"{target}: {reason}; remove it and run the command again")
        return target
    free, needed = shutil.disk_usage(folder).free, archive.size - _size(part)
    if free < needed:
        raise UserError(
            f"{folder}: {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are needed; choose another folder"
        )
    reasons = []
    for url in archive.urls:
        try:
            _fetch_from(url, part, archive.size, tell)
            break
        except NotThisOne as error:
            reasons.append(f"{url}: {error}")
    else:
        note = f"; {_size(part)} of {archive.size} bytes are kept, the same command continues" if _size(part) else ""
        raise UserError(f"{'; '.join(reasons)}{note}")
    if reason := mismatch(part, archive):
        part.unlink()
        raise UserError(f"{archive.name}: {reason}; what was downloaded is removed, run the command again")
    part.rename(target)
    return target


def mismatch(path: Path, archive: Archive) -> str | None:
    """Why a file is not the archive, or None if it is."""
    if path.stat().st_size != archive.size:
        return f"has {path.stat().st_size} bytes, expected {archive.size}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return None if digest == archive.md5 else f"its MD5 is {digest}, expected {archive.md5}"


def _fetch_from(url: str, part: Path, size: int, tell: Tell) -> None:
    """Fill the part from one address, connection by connection."""
    if not url.lower().startswith(("http://", "https://")):
        raise NotThisOne("no HTTP address")
    tries = TRIES
    while _size(part) != size:
        before = _size(part)
        try:
            _one_connection(url, part, size, tell)
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise NotThisOne(f"HTTP {error.code} {' '.join(error.reason.split())}") from None
            reason = f"HTTP {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            # A server's own reason may have several lines.
            reason = " ".join(str(getattr(error, "reason", error)).split()) or type(error).__name__
        except ValueError as error:
            raise NotThisOne(f"no valid address, or no valid answer ({error})") from None
        tries = TRIES if _size(part) > before else tries - 1
        if not tries:
            raise NotThisOne(reason)


def _one_connection(url: str, part: Path, size: int, tell: Tell) -> None:
    """Ask for what is missing and append what comes."""
    start = _size(part)
    if start > size:
        part.unlink()
        start = 0
    headers = {"User-Agent": f"acr-lightning/{__version__}"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=SECONDS) as response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        # A server that does not know ranges sends the whole again.
        if not continues and (length := response.headers.get("Content-Length", str(size))) != str(size):
            raise NotThisOne(f"the file there has {length} bytes, expected {size}")
        with part.open("ab" if continues else "wb") as file:
            done = start if continues else 0
            tell(done)
            while done < size and (block := response.read(min(BLOCK, size - done))):
                file.write(block)
                done += len(block)
                tell(done)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
