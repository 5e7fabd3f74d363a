"""Work on many items on the machines of a Ray cluster, or, where there is none, on this machine's cores."""

import os
import pickle
import signal
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from multiprocessing.util import Finalize
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from acr_lightning.errors import UserError

# Of one item: after a worker that was killed, or a disk that failed.
RETRIES = 3
# Bytes of shared memory for what travels; a machine of its own reserves a third of its memory without being asked.
STORE = 100 * 2**20


class Worker:
    """A process of the cluster.

    Args:
        folder: in which the command was started, on a disk that all machines share.
        modules: where that process looks for modules; the work is unpickled after that.
    """

    def __init__(self, folder: str, modules: list[str]) -> None:
        os.chdir(folder)
        sys.path[:] = dict.fromkeys([*sys.path, *modules])
        self._work: Callable[[Any], Any] | None = None

    def do(self, item: Any, pickled: list[Any]) -> Any:
        """What the work makes of an item.

        Args:
            item: one.
            pickled: where the cluster keeps the work; in a list, or each item would bring the work along.
        """
        self._work = self._work or pickle.loads(ray.get(pickled[0]))
        return self._work(item)


def map_in_ray(
    work: Callable[[Any], Any], items: Sequence[Any], workers: int | None, on_gpus: bool
) -> Generator[Any, None, None]:
    """Do some work on every item; for the arguments see `pool.map_in_pool`.

    A worker has one item at a time. One that dies begins again, with the item that it had; after the fourth time the
    result is None, and a list of that problem.
    """
    if not ray.is_initialized():
        _connect(workers)
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = places(nodes, "GPU") if on_gpus else 0
    count = min(workers or len(items), gpus or places(nodes, "CPU"), len(items))
    if not count:
        raise UserError("engine: the Ray cluster has no core for this work; wait for its workers (`ray status`)")
    remote = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=RETRIES)(Worker)
    actors: list[Any] = [remote.remote(os.getcwd(), sys.path) for _ in range(count)]
    pickled = [ray.put(pickle.dumps(work))]
    idle, queue = list(actors), iter(enumerate(items))
    running, early, following = dict[Any, tuple[int, Any]](), dict[int, Any](), 0
    try:
        while following < len(items):
            for actor, (number, item) in zip(idle, queue, strict=False):
                running[actor.do.options(retry_exceptions=[OSError]).remote(item, pickled)] = number, actor
            idle, (done, _) = [], ray.wait(list(running))
            for future in done:
                number, actor = running.pop(future)
                early[number] = _result(future, items[number])
                idle.append(actor)
            while following in early:
                yield early.pop(following)
                following += 1
    finally:
        for actor in actors:
            ray.kill(actor)


def places(nodes: Sequence[Mapping[str, float]], device: str) -> int:
    """How many workers find a core and a device of this kind on one machine; more would wait for ever, with an item.

    Args:
        nodes: what each machine has.
        device: `CPU` or `GPU`.
    """
    return sum(int(min(node.get("CPU", 0), node.get(device, 0))) for node in nodes)


def _result(future: Any, item: Any) -> Any:
    try:
        return ray.get(future)
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError:
        return None, [f"{item}: {RETRIES + 1} processes that worked on it were killed (is there too little memory?)"]


def _connect(workers: int | None) -> None:
    """Join the cluster that RAY_ADDRESS names, or start one on this machine that nobody else can reach."""
    # Tell nobody, and be as important as any other process: Ray's own are nicer by 15.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"} | os.environ
    Finalize(None, ray.shutdown, exitpriority=0)  # a forked process runs no `atexit`
    address = os.environ.get("RAY_ADDRESS", "local")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == "local":
        cores = workers or len(os.sched_getaffinity(0))
        options |= {"include_dashboard": False, "num_cpus": cores, "object_store_memory": STORE}
        options["_node_ip_address"] = "127.0.0.1"
    ended_by = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address, **options)
    except Exception as error:
        what = "reached" if address != "local" else "started"
        raise UserError(f"engine: Ray at {address} could not be {what} ({' '.join(str(error).split())})") from None
    finally:
        signal.signal(signal.SIGTERM, ended_by)  # Ray's own would end this process without a word
