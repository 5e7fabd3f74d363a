"""The masks of one photo as runs of pixels (RLE), in memory and on disk: compressed, no pickle.

A mask is its `runs`, `[2R]`: where one begins and where it ends, by turns, in pixels counted row by row.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import reading

Runs = NDArray[np.int64]


def runs_of(mask: NDArray[np.bool_]) -> Runs:
    """The runs of a mask `[H, W]`."""
    return np.flatnonzero(np.diff(mask.ravel(), prepend=False, append=False))


def sums(masks: Sequence[Runs], maps: NDArray[Any]) -> NDArray[np.float64]:
    """The sums of maps `[C, H, W]` in each mask, `[M, C]`."""
    before = np.zeros((len(maps), maps[0].size + 1))
    np.cumsum(maps.reshape(len(maps), -1), axis=1, out=before[:, 1:])
    return np.stack([before[:, runs[1::2]].sum(axis=1) - before[:, runs[::2]].sum(axis=1) for runs in masks])


def paint(canvas: NDArray[Any], runs: Runs, value: Any) -> None:
    """Write a value into a mask of `[H, W]`, in place."""
    flat = canvas.reshape(-1)
    for first, end in runs.reshape(-1, 2):
        flat[first:end] = value


def write_proposals(path: str | Path, masks: Sequence[Runs], size: tuple[int, int]) -> None:
    """Write the masks of a photo of this height and width, atomically, as `<id>.npz`."""
    buffer, lengths = io.BytesIO(), np.array([len(runs) for runs in masks], np.int64)
    steps = np.diff(np.concatenate([[0], *masks])).astype(np.int32)  # small numbers, which take less room
    np.savez_compressed(buffer, size=size, lengths=lengths, steps=steps)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def read_proposals(path: str | Path, size: tuple[int, ...] | None = None) -> list[Runs]:
    """Read the masks of a photo.

    Raises:
        UserError: the file is missing, damaged, or of a photo of another height and width.
    """
    missing = "no proposals; add this photo's split to proposals.data.splits"
    damaged = "damaged proposals ({}); delete it, and `acr proposals` makes it again"
    with reading(path, missing, damaged), np.load(path, allow_pickle=False) as file:
        own_size, lengths, steps = tuple(file["size"].tolist()), file["lengths"], file["steps"]
        if size not in (None, own_size):
            raise ValueError(f"of height and width {own_size}, its photo has {size}")
        return np.split(steps.cumsum(dtype=np.int64), lengths.cumsum()[:-1]) if len(lengths) else []
