"""One file of an inference's result, written by whatever process has the time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def write_result(write: Callable[..., None], path: Path, parts: Sequence[Any]) -> None:
    """Write a result's file.

    Args:
        write: takes the path, then the parts.
        path: of the file.
        parts: of the result; one that can be called is made by that, now.
    """
    write(path, *(part() if callable(part) else part for part in parts))
