"""One command at a time in a stage's folder.

A lease is a file beside the folder that only one process can create, on disks of a network as well; it says who holds
it, and its holder touches it every few seconds. What a dead process of this machine left is taken over at once. One of
another machine cannot be seen from here: its lease is over when it has not been touched for `LEASE` seconds, by the
clock of whoever watches it, so clocks of machines are never compared.
"""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseCompromise as Loss
from filelock import SoftFileLease, Timeout

from acr_lightning.errors import UserError

# Seconds: a lease that was not touched for so long is over; how often its holder touches it.
LEASE, BEAT = 60.0, 5.0
# Seconds. Taking over what a dead process left may take two attempts.
PATIENCE = 1.0
# Seconds after which an empty file is what a process left that was killed while it wrote; no living one takes so long.
PATIENCE_WITH_THE_EMPTY = 10.0
# What a lease begins with. A container's name has its number behind `?`.
HOLDER = re.compile(r"filelock/[0-9]+\npid=([0-9]{1,10})\nhost=([\w.-]{1,255})(\?.*)?(?:\n|$)")


@contextmanager
def folder_lock(folder: Path, shard: str | None = None) -> Iterator[None]:
    """Keep other commands out of a folder for as long as the block lasts.

    Args:
        folder: of a stage's results.
        shard: which part of them this job makes (`3/16`). Shards exclude a job for the whole, which may move what is
            there, but neither each other nor readers.

    Raises:
        UserError: another process works there; the message says which.
        OSError: the lease cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = folder.with_name(f".{folder.name}.lock")
    own = whole if shard is None else folder.with_name(f".{folder.name}.{shard.replace('/', '-of-')}.lock")
    shards = folder.parent.glob(f".{folder.name}.*-of-*.lock")
    lease = _taken(own, folder)
    try:
        for other in shards if shard is None else [whole]:
            _taken(other, folder).release()
        yield
    finally:
        lease.release()


def _taken(path: Path, folder: Path) -> SoftFileLease:
    lease = SoftFileLease(path, lease_duration=LEASE, heartbeat_interval=BEAT, on_compromise=_end_without)
    first_beat, since, is_announced = _beat(path), time.monotonic(), False
    while (waited := time.monotonic() - since) < LEASE + 2 * PATIENCE:
        try:
            lease.acquire(timeout=PATIENCE)
        except Timeout:
            if _beat(path) is None:
                continue  # it was released just now
            if path.is_file() and path.stat().st_size == 0:
                if waited > PATIENCE_WITH_THE_EMPTY:
                    path.unlink(missing_ok=True)
            elif not _holder(path) or _is_alive_here(path) or _beat(path) != first_beat:
                break
            elif not is_announced:
                is_announced = True
                print(f"{folder} is in use by {_name(path)}; waiting for a sign of life from it", file=sys.stderr)
        else:
            return lease
    if not _holder(path):
        raise UserError(f"{folder} is in use by another process; wait for it, or delete {path} if there is none")
    raise UserError(f"{folder} is in use by {_name(path)}; wait for it or stop it, then the same command goes on")


def _end_without(loss: Loss) -> None:
    """End a process that was taken for dead, since another one may work in its place: it was stopped, or its disk was.

    Args:
        loss: of the lease.
    """
    print(f"{loss.lock_file}: no sign of life from this process came there for {LEASE:.0f} s", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)


def _beat(path: Path) -> int | None:
    """When a lease was touched last, by the clock of its disk; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _is_alive_here(path: Path) -> bool:
    """Whether the holder is a process of this machine that lives.

    One that was killed and whose parent has yet to hear of it (Linux) counts as living for filelock, and not here.
    """
    holder = _holder(path)
    if not holder or holder[3] or holder[2] != socket.gethostname():
        return False
    stat = Path(f"/proc/{holder[1]}/stat")
    return not (stat.is_file() and stat.read_text().rpartition(")")[2].split()[0] in ("Z", "X"))


def _name(path: Path) -> str:
    holder = _holder(path)
    return f"process {holder[1]} on {holder[2]}" if holder else "another process"


def _holder(path: Path) -> re.Match[str] | None:
    """What a lease says of its holder; None where it says nothing of the kind, for the file may be anybody's."""
    return HOLDER.match(path.read_bytes().decode(errors="replace")) if path.is_file() else None
