"""One image's CAM on disk: the present classes only, 8 bits a score, compressed, no pickle."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import reading

# Scores are kept as multiples of 1/255, so a score is off by 1/510 at the most.
LEVELS = 255
# A label is a byte, and 255 says nothing.
MOST_CLASSES = 254


@dataclass(frozen=True)
class CamFile:
    """The CAM of one image.

    Attributes:
        classes: the tagged classes, `[P]`, counted from 0 (the label of class `k` is `k + 1`).
        levels: normalised CAM per tagged class, as it is stored, `[P, H, W]` in 0..255, at the photo's size.
        background_levels: of the background, `[H, W]`, where a random walk carried one along; else None.
    """

    classes: NDArray[np.int64]
    levels: NDArray[np.uint8]
    background_levels: NDArray[np.uint8] | None = None

    @cached_property
    def scores(self) -> NDArray[np.float32]:
        """The CAM, `[P, H, W]` in `[0, 1]`."""
        return _scores(self.levels)

    @cached_property
    def background(self) -> NDArray[np.float32] | None:
        """The background's score, `[H, W]` in `[0, 1]`, if there is one."""
        return None if self.background_levels is None else _scores(self.background_levels)


def write_cam(
    path: str | Path,
    classes: NDArray[np.int64],
    scores: NDArray[np.float32],
    background: NDArray[np.float32] | None = None,
) -> None:
    """Write the CAM of one image, atomically.

    Args:
        path: `<id>.npz`.
        classes: `[P]`, counted from 0.
        scores: `[P, H, W]` in `[0, 1]`; stored as `round(255·score)`.
        background: `[H, W]` in `[0, 1]`, stored likewise; None where there is none.
    """
    more = {} if background is None else {"background": _levels(background)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, classes=classes.astype(np.int64), levels=_levels(scores), **more)  # type: ignore[arg-type]
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def _levels(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(scores, 0, 1) * LEVELS).astype(np.uint8)


def read_cam(path: str | Path, num_classes: int | None = None, size: tuple[int, ...] | None = None) -> CamFile:
    """Read one image's CAM.

    Args:
        path: `<id>.npz`.
        num_classes: that the data set has; None takes any.
        size: height and width of the photo; None takes any.

    Raises:
        UserError: the file is missing, damaged, or of another photo or data set.
    """
    damaged = "damaged CAM file ({}); delete it, and the command that made it makes it again"
    with reading(path, "no CAM; run `acr cam` first", damaged), np.load(path, allow_pickle=False) as file:
        names = ["classes", "levels", *(["background"] if "background" in file else [])]
        arrays = {name: file[name] for name in names}
        if fault := _fault(arrays, num_classes, size):
            raise ValueError(fault)
    return CamFile(arrays["classes"], arrays["levels"], arrays.get("background"))


def _scores(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(LEVELS)


def _fault(arrays: dict[str, NDArray[Any]], num_classes: int | None, size: tuple[int, ...] | None) -> str | None:
    """Why these arrays are no CAM of a photo of this size; None where they are."""
    classes, levels = arrays["classes"], arrays["levels"]
    background = arrays.get("background", np.zeros(levels.shape[1:], np.uint8))
    types = [str(array.dtype) for array in (classes, levels, background)]
    if types != ["int64", "uint8", "uint8"]:
        return f"its arrays are of the types {', '.join(types)}"
    if levels.ndim != 3 or classes.shape != levels.shape[:1] or background.shape != levels.shape[1:]:
        return f"its arrays have the shapes {classes.shape}, {levels.shape}, {background.shape}"
    if size is not None and levels.shape[1:] != size:
        return f"it is of {levels.shape[2]}×{levels.shape[1]} pixels, its photo of {size[1]}×{size[0]}"
    most = MOST_CLASSES if num_classes is None else num_classes
    if len(classes) and not 0 <= classes.min() <= classes.max() < most:
        return f"it has the class {classes.max() if classes.min() >= 0 else classes.min()} of {most}"
    return None
