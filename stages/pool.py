"""What the stages that work photo by photo on the CPU share: a pool of processes over what is not made yet."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def make_missing(
    work: Callable[[str], Any],
    results: dict[str, Path],
    is_whole: Callable[[Path], bool],
    workers: int | None,
    title: str,
) -> None:
    """Call `work(image_id)` for every photo whose result is missing or damaged, each in one of `workers` processes.

    Args:
        work: makes one photo's result from file to file; importable, so that a new process finds it.
        results: where each photo's result belongs.
        is_whole: whether a result can be read to its end.
        workers: processes; None takes all cores that this process may use.
        title: of the progress bar.
    """
    from rich.progress import track

    left = [image_id for image_id, path in results.items() if not (path.exists() and is_whole(path))]
    # Spawned, not forked: the result must not hang on which threads this process already has.
    with ProcessPoolExecutor(workers or len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        for _ in track(pool.map(work, left, chunksize=4), title, total=len(left)):
            pass
