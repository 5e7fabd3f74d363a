"""Work on many files, in many processes."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context
from typing import Any, TypeVar

from acr_lightning.system.child_process import die_with

Item = TypeVar("Item")
Result = TypeVar("Result")

# Of a worker: what it does on every item. A data set that came along with each item made the cost quadratic.
_work: Callable[[Any], Any]


def map_in_pool(
    work: Callable[[Item], Result], items: Sequence[Item], title: str, workers: int | None = None, few: int = 0
) -> Iterator[Result]:
    """Do some work on every item, with a progress bar, and give the results in the items' order.

    Args:
        work: a function at the top of a module (or a partial of one): it travels to other processes, once to each.
        items: what it is done on.
        title: of the progress bar.
        workers: processes; None takes all cores.
        few: up to so many items are done in this process, before a pool would have started.
    """
    if len(items) <= few:
        yield from map(work, items)
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)  # standard output is for results
    # Spawned, not forked: the result must not hang on which threads this process already has.
    workers = workers or len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (os.getpid(), work)) as pool:
        try:
            yield from track(pool.map(_work_on, items, chunksize=4), title, total=len(items), console=console)
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
        self._pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker, (os.getpid(), _call))
        self._waiting: deque[Future[None]] = deque()
        self._most = 2 * workers

    def hand_over(self, work: Callable[[], None]) -> None:
        """Have some work done; what an earlier piece raised is raised here."""
        while len(self._waiting) >= self._most:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(_work_on, work))

    def finish(self) -> None:
        """Wait until all of it is done; what a piece raised is raised here."""
        while self._waiting:
            self._waiting.popleft().result()
        self._pool.shutdown()

    def kill(self) -> None:
        """End at once."""
        _kill_workers(self._pool)


def _call(work: Callable[[], None]) -> None:
    work()


def _kill_workers(pool: ProcessPoolExecutor) -> None:
    """End a pool at once; its own thread then fails over the work that was cancelled, which is nothing to read."""
    hook, threading.excepthook = threading.excepthook, lambda failure: None
    for worker in active_children():
        worker.kill()
    pool.shutdown()
    threading.excepthook = hook


def _begin_worker(parent: int, work: Callable[[Any], Any]) -> None:
    """Take the work; leave it to the parent to hear Ctrl-C, and end with it."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(parent)


def _work_on(item: Any) -> Any:
    """What this worker was given to do."""
    return _work(item)
