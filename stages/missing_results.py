"""What the stages that work photo by photo on the CPU share: missing results are made in many processes."""

from collections.abc import Callable
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
    from acr_lightning.system.pool import map_in_pool

    missing_ids = [image_id for image_id, path in results.items() if not (path.exists() and is_whole(path))]
    for _ in map_in_pool(work, missing_ids, title, workers):
        pass
