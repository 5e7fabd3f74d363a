"""One command at a time in a stage's folder.

A lock is a file beside the folder that only one process can create, on disks of a network as well; it says who holds
it. What a dead process of this machine left is taken over. A process of another machine cannot be seen from here, so
what that left has to be deleted by a person.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout

from acr_lightning.errors import UserError

# Taking over what a dead process left may take two attempts.
PATIENCE = 1.0


@contextmanager
def folder_lock(folder: Path, shard: str | None = None) -> Iterator[None]:
    """Keep other commands out of a folder for as long as the block lasts.

    Args:
        folder: of a stage's results.
        shard: which part of them this job makes (`3/16`). The shards of a folder exclude neither each other nor
            whoever reads, but a job for the whole, which may move what is there.

    Raises:
        UserError: another process works there; the message says which.
        OSError: the lock cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = folder.with_name(f".{folder.name}.lock")
    own = whole if shard is None else folder.with_name(f".{folder.name}.{shard.replace('/', '-of-')}.lock")
    shards = folder.parent.glob(f".{folder.name}.*-of-*.lock")
    lock = _taken(own, folder)
    try:
        for other in shards if shard is None else [whole]:
            _taken(other, folder).release()
        yield
    finally:
        lock.release()


def _taken(path: Path, folder: Path) -> SoftFileLock:
    lock = SoftFileLock(path)
    try:
        lock.acquire(timeout=PATIENCE)
    except Timeout:
        raise UserError(f"{folder} is in use by {_holder(path)}") from None
    return lock


def _holder(path: Path) -> str:
    """Who holds a lock, and what to do about it."""
    lines = path.read_text().splitlines() if path.exists() else []
    if len(lines) < 2:
        return f"another process; wait for it, or delete {path} if there is none"
    pid, host = lines[:2]
    if host == socket.gethostname():
        return f"process {pid} on {host}; wait for it or stop it (kill {pid}), then the same command goes on"
    return (
        f"process {pid} on {host}; wait for it or stop it there, then the same command goes on. "
        f"If it has ended without a word, delete {path}"
    )
