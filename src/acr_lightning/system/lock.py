"""One command at a time in a stage's folder.

A lock is a file beside the folder that only one process can create, on disks of a network as well; it says who holds
it. What a dead process of this machine left is taken over. A process of another machine cannot be seen from here, so
what that left has to be deleted by a person.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout

from acr_lightning.errors import UserError

# Seconds. Taking over what a dead process left may take two attempts.
PATIENCE = 1.0
PATIENCE_WITH_THE_DEAD = 10.0
# The first two lines of a lock.
HOLDER = re.compile(r"([0-9]{1,10})\n([\w.-]{1,255})(?:\?.*)?(?:\n|$)")


@contextmanager
def folder_lock(folder: Path, shard: str | None = None) -> Iterator[None]:
    """Keep other commands out of a folder for as long as the block lasts.

    Args:
        folder: of a stage's results.
        shard: which part of them this job makes (`3/16`). Shards exclude a job for the whole, which may move what is
            there, but neither each other nor readers.

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
    for patience in (PATIENCE, PATIENCE_WITH_THE_DEAD, PATIENCE):
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            # A process may be killed between creating the file and writing into it; no living one takes so long.
            empty = path.is_file() and path.stat().st_size == 0
            if empty and patience == PATIENCE_WITH_THE_DEAD:
                path.unlink(missing_ok=True)
            elif not empty and not _is_ending(path):
                break
        else:
            return lock
    raise UserError(f"{folder} is in use by {_holder(path)}")


def _holder(path: Path) -> str:
    """Who holds a lock, and what to do about it."""
    pid, host = _pid_and_host(path)
    if not pid:
        return f"another process; wait for it, or delete {path} if there is none"
    return (
        f"process {pid} on {host}; wait for it or stop it, then the same command goes on. "
        f"If no such process runs there, delete {path}"
    )


def _is_ending(path: Path) -> bool:
    """Whether the holder was killed, and its parent has yet to hear of it (Linux); it counts as living until then."""
    stat = Path(f"/proc/{_pid_and_host(path)[0]}/stat")
    return stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] in ("Z", "X")


def _pid_and_host(path: Path) -> tuple[str, str]:
    """What a lock says of its holder; empty where it says nothing of the kind, for the file may be anybody's.

    A container's name has its number behind `?`.
    """
    text = path.read_bytes().decode(errors="replace") if path.is_file() else ""
    holder = HOLDER.match(text)
    return (holder[1], holder[2]) if holder else ("", "")
