"""A command that torchrun or srun started several times: the processes of one job, its ranks.

They share a store (torch's) for as long as the command lasts. By it the first one, rank 0, tells the others where each
stage meets: stages are processes of their own, and at the launcher's address one would find those of the stage before.
Lightning's own launcher needs none of this, it starts the ranks of each stage by itself.
"""

import functools
import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from acr_lightning.errors import UserError

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

# Of this package: where the store is, `host:port`, for the commands that the first one of a rank starts.
STORE = "ACR_STORE"
# What torchrun says of a process.
TORCHRUN = ("TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Of a job by such a name Lightning takes each process for somebody's who tries things out.
INTERACTIVE = ("bash", "interactive")
# Jobs of SLURM meet at a port from here on, as Lightning has it; so many there are.
FIRST_PORT, PORTS = 15_000, 10_000
# Seconds: between two looks; to reach a store that is there; until the first rank must be there; for a good-bye.
LOOK, REACH, START, LEAVE = 0.2, 2.0, 600.0, 60.0
GONE = "another process of this job has ended; its own message says why"


class Launch(NamedTuple):
    """What a launcher says of this process: its number from 0, how many there are, and how many on this machine."""

    rank: int
    world: int
    here: int

    def trainer_options(self) -> dict[str, int]:
        """What Lightning's Trainer is told of them."""
        if "SLURM_NTASKS" in os.environ:
            os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(self.here))  # Lightning insists on it
        return {"devices": self.here, "num_nodes": self.world // self.here}


def launched() -> Launch | None:
    """What torchrun or srun started; None for a command that stands alone, or that Lightning started."""
    said = os.environ
    if "TORCHELASTIC_RUN_ID" in said:
        rank, world, here = (int(said[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    elif "SLURM_STEP_ID" in said and said.get("SLURM_JOB_NAME") not in INTERACTIVE:
        rank, world = int(said["SLURM_PROCID"]), int(said.get("SLURM_NTASKS", 1))
        here = world // int(said.get("SLURM_STEP_NUM_NODES", said.get("SLURM_NNODES", 1)))
    else:
        return None
    return Launch(rank, world, here) if world > 1 else None


def is_first_process() -> bool:
    """Whether this is rank 0 of a distributed job, whoever started it: torchrun, srun or Lightning."""
    ranks = launched()
    return ranks.rank == 0 if ranks else os.environ.get("LOCAL_RANK", "0") == "0"


def stand_alone() -> None:
    """Forget a launcher that started this process alone, or that shall not matter to it."""
    for name in TORCHRUN if TORCHRUN[0] in os.environ else ():
        os.environ.pop(name, None)
    os.environ.pop("SLURM_NTASKS", None)


def require_srun() -> None:
    """Refuse one process where a job of SLURM has several tasks, and Lightning would wait for the others."""
    said = os.environ
    is_alone = "SLURM_JOB_ID" in said and not {"SLURM_STEP_ID", TORCHRUN[0]} & said.keys()
    if is_alone and said.get("SLURM_JOB_NAME") not in INTERACTIVE and int(said.get("SLURM_NTASKS", 1)) > 1:
        raise UserError(f"this job of SLURM has {said['SLURM_NTASKS']} tasks; write `srun acr …` to start all of them")


def begin(launch: Launch) -> bool:
    """Let the ranks find each other; False in a command that another one started, which has seen to it.

    Raises:
        UserError: the first rank does not come.
    """
    said = os.environ
    if STORE in said:
        return False
    if TORCHRUN[0] not in said:
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

        first = SLURMEnvironment.resolve_root_node_address(said.get("SLURM_NODELIST", "127.0.0.1"))
        job, step = int(said.get("SLURM_JOB_ID", 0)), int(said["SLURM_STEP_ID"])
        said.setdefault("MASTER_ADDR", first)
        said.setdefault("MASTER_PORT", str(FIRST_PORT + (job + 97 * step) % PORTS))
    host, port = said["MASTER_ADDR"], int(said["MASTER_PORT"])
    if launch.rank == 0 and said.get("TORCHELASTIC_USE_AGENT_STORE") != "True":  # torchrun has a store of its own
        _serve(host, port)
    _reach(host, port, START, f"no process of this job answers at {host}:{port}")
    said[STORE] = f"{host}:{port}"
    return True


def leave(launch: Launch) -> None:
    """At the good end of a command that began: the first rank goes last, with the store that it may have."""
    _store().add("left", 1)
    end = time.monotonic() + LEAVE
    if _serve.cache_info().currsize:
        wait_until(lambda: _store().add("left", 0) >= launch.world or time.monotonic() > end)


@functools.cache
def _serve(host: str, port: int) -> Any:
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    return TCPStore(host, port, is_master=True, wait_for_workers=False)


def _reach(host: str, port: int, seconds: float, otherwise: str) -> None:
    """Wait until somebody answers; torch, which would wait by itself, hears no signal meanwhile."""
    end = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection((host, port), timeout=REACH).close()
        except OSError:
            if time.monotonic() > end:
                raise UserError(otherwise) from None
            time.sleep(LOOK)


def _store() -> "Store":
    """The store, by a connection of this very process: a copy of it would talk amid its words."""
    return _connected(os.getpid())


@functools.cache
def _connected(pid: int) -> "Store":
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    host, _, port = os.environ[STORE].rpartition(":")
    _reach(host, int(port), REACH, GONE)
    store = TCPStore(host, int(port), is_master=False, wait_for_workers=False)
    return PrefixStore(f"acr {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)


def say(key: str, value: str = "") -> None:
    """Tell the other ranks something."""
    _store().set(key, value)


def is_said(key: str) -> bool:
    """Whether a rank has said this; a UserError where the ranks' store is gone, and so is the first of them."""
    try:
        return bool(_store().check([key]))
    except RuntimeError:
        raise UserError(GONE) from None


def told(key: str) -> str:
    """What a rank has said of this."""
    return _store().get(key).decode()


def heard(key: str) -> str:
    """What a rank says of this; waits until it does."""
    wait_until(lambda: is_said(key))
    return told(key)


def of_first(ranks: Launch | None, key: str, is_so: Callable[[], bool]) -> bool:
    """What the first rank finds, for all: files may change between two looks, and ranks that differ wait for ever."""
    if ranks and ranks.rank:
        return heard(key) == "yes"
    answer = is_so()
    if ranks:
        say(key, "yes" if answer else "no")
    return answer


def wait_until(is_true: Callable[[], bool]) -> None:
    """Look again and again, so that signals are heard."""
    while not is_true():
        time.sleep(LOOK)


def open_stage(key: str) -> None:
    """Tell the other ranks that a stage begins, and where its processes meet."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = str(free.getsockname()[1])
    say(f"open {key}", port)
    _meet_at(port)


def close_stage(key: str) -> None:
    """Tell the other ranks that a stage does not begin, or not again."""
    say(f"open {key}")


def opens(key: str) -> bool:
    """Wait until the first rank says whether it begins with a stage, whose processes then meet where it says."""
    if port := heard(f"open {key}"):
        _meet_at(port)
    return bool(port)


def _meet_at(port: str) -> None:
    os.environ |= {"MASTER_PORT": port, "TORCHELASTIC_USE_AGENT_STORE": "False"}  # which is at the launcher's port


def meet() -> None:
    """Wait for all ranks of a stage, which then find each other at once: torch, waiting for them, hears no signal."""
    if (launch := launched()) and STORE in os.environ:
        host, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
        _store().add(f"there {port}", 1)
        wait_until(lambda: _store().add(f"there {port}", 0) >= launch.world)
        if launch.rank:  # torch would try less and less often
            _reach(host, int(port), START, GONE)
