"""Whether a folder is as it was, told without reading it: a folder's time changes with every name in it."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

# Seconds. What is as new as this may change again without a later time.
FRESH = 2.0

# Of each folder and file, its time and size; None where there is none.
State = dict[str, tuple[int, int] | None]


def folder_state(root: Path, files: Iterable[Path]) -> State:
    """The state of a folder with all folders in it, and of some files."""
    return _state([*(folder for folder, _, _ in os.walk(root)), *map(str, files)])


def is_settled(state: State) -> bool:
    """Whether a change after this state is seen by another time; asked when it was taken."""
    return time.time() - max((one[0] for one in state.values() if one), default=0) / 1e9 > FRESH


def is_unchanged(state: State) -> bool:
    """Whether nothing was added, removed or renamed since, and none of the files written."""
    return _state(state) == state


def _state(paths: Iterable[str]) -> State:
    return {path: _time_and_size(path) for path in paths}


def _time_and_size(path: str) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size
