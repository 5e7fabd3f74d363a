"""Work on many files, in many processes, of this machine or of a cluster."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from multiprocessing import active_children, get_context
from typing import Any, Literal, TypeVar

from acr_lightning.errors import Faults, UserError
from acr_lightning.system.child_process import die_with

Item = TypeVar("Item")
Result = TypeVar("Result")

Engine = Literal["local", "ray"]
# A result, and what is wrong with the item.
Outcome = tuple[Any, Sequence[str]]
# With more, something is wrong with all.
MOST_FAULTS = 100

_engine: Engine = "local"
# Of a worker: what it does on every item. A data set that came along with each item made the cost quadratic.
_work: Callable[[Any], Any]


def use_engine(engine: Engine | None) -> None:
    """Say what work is spread over from here on: this machine's cores (None: these), or a Ray cluster.

    Raises:
        UserError: Ray is not installed.
    """
    global _engine
    if engine == "ray" and find_spec("ray") is None:
        raise UserError("engine: ray is not installed; pip install '.[ray]', or leave --engine out")
    _engine = engine or "local"


def uses_cluster() -> bool:
    """Whether work goes to a cluster."""
    return _engine == "ray"


def map_in_pool(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    title: str,
    workers: int | None = None,
    few: int = 0,
    on_gpus: bool = False,
) -> Iterator[Result]:
    """Do some work on every item, with a progress bar, and give the results in the items' order.

    An item on which the work raises a UserError, a damaged photo, keeps no other from being done.

    Args:
        work: a function at the top of a module (or a partial of one): it travels to other processes, once to each.
        items: what it is done on.
        title: of the progress bar.
        workers: processes; None takes all cores.
        few: up to so many items are done in this process, before a pool would have started.
        on_gpus: whether a worker takes a GPU, in a cluster that has any.

    Raises:
        UserError: what the work said, a line each, after everything else was done.
    """
    faults: list[str] = []
    attempt = partial(_attempt, work)
    outcomes = map(attempt, items) if len(items) <= few else _spread(attempt, items, title, workers, on_gpus)
    for result, problems in outcomes:
        if not problems:
            yield result
        faults += problems
        if len(faults) > MOST_FAULTS:
            break  # no damage of single photos
    if len(faults) > 1:
        raise UserError("\n  ".join([f"{len(faults)} problems; all that has none is done:", *faults]))
    for fault in faults:
        raise UserError(fault)


def _attempt(work: Callable[[Any], Any], item: Any) -> Outcome:
    """What the work makes of an item, or what it says is wrong with it."""
    try:
        return work(item), ()
    except Faults as error:
        return None, error.lines
    except UserError as error:
        return None, (str(error),)


def _spread(
    attempt: Callable[[Any], Outcome], items: Sequence[Any], title: str, workers: int | None, on_gpus: bool
) -> Iterator[Outcome]:
    from rich.console import Console
    from rich.progress import track

    if uses_cluster():
        from acr_lightning.system.ray_pool import map_in_ray

        outcomes = map_in_ray(attempt, items, workers, on_gpus)
    else:
        outcomes = _map_in_processes(attempt, items, workers)
    with closing(outcomes):  # standard output is for results
        yield from track(outcomes, title, total=len(items), console=Console(stderr=True))


def _map_in_processes(
    attempt: Callable[[Any], Outcome], items: Sequence[Any], workers: int | None
) -> Generator[Outcome, None, None]:
    # Spawned, not forked: the result must not hang on which threads this process already has.
    workers = workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (os.getpid(), attempt)) as pool:
        try:
            yield from pool.map(_work_on, items, chunksize=4)
        except BaseException as stop:
            if not isinstance(stop, Exception):  # a signal; the pool would end what it has begun, for minutes
                _kill_workers(pool)
            raise


class WorkBeside:
    """Processes that do what this one hands them, while it goes on.

    Args:
        workers: processes. More than two pieces of work for each are never waiting: handing over one more waits.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (os.getpid(),))
        self._waiting: deque[Future[None]] = deque()
        self._most = 2 * workers

    def hand_over(self, work: Callable[[], None]) -> None:
        """Have some work done; what an earlier piece raised is raised here."""
        while len(self._waiting) >= self._most:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(work))

    def finish(self) -> None:
        """Wait until all of it is done; what a piece raised is raised here."""
        while self._waiting:
            self._waiting.popleft().result()
        self._pool.shutdown()

    def kill(self) -> None:
        """End at once."""
        _kill_workers(self._pool)


def _kill_workers(pool: ProcessPoolExecutor) -> None:
    """End a pool at once; its own thread then fails over the work that was cancelled, which is nothing to read."""
    hook, threading.excepthook = threading.excepthook, lambda failure: None
    for worker in active_children():
        worker.kill()
    pool.shutdown()
    threading.excepthook = hook


def _begin_worker(parent: int, work: Callable[[Any], Any] | None = None) -> None:
    """Take the work, if it is the same for all items; leave it to the parent to hear Ctrl-C, and end with it."""
    global _work
    if work:
        _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)


def _work_on(item: Any) -> Any:
    """What this worker was given to do."""
    return _work(item)
