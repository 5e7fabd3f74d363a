"""One image's CAM on disk: the present classes only, 8 bits a score, compressed, no pickle."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import UserError, refusal

# Scores are kept as multiples of 1/255, so a score is off by 1/510 at the most.
LEVELS = 255


@dataclass(frozen=True)
class CamFile:
    """The CAM of one image.

    Attributes:
        classes: the tagged classes, `[P]`, counted from 0 (the label of class `k` is `k + 1`).
        scores: normalised CAM per tagged class, `[P, H, W]` in `[0, 1]`, at the photo's size.
        background: score of the background, `[H, W]` in `[0, 1]`, where a random walk carried one along; else None.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.float32]
    background: NDArray[np.float32] | None = None


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


def read_levels(path: str | Path) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Read the classes `[P]` and the stored levels `[P, H, W]` (0..255) of one image.

    Raises:
        UserError: the file is missing or damaged.
    """
    arrays = _read(path)
    return arrays["classes"], arrays["levels"]


def read_cam(path: str | Path) -> CamFile:
    """Read one image's CAM as scores in `[0, 1]` (see `read_levels` for the errors)."""
    arrays = _read(path)
    background = arrays.get("background")
    walked = None if background is None else _scores(background)
    return CamFile(arrays["classes"], _scores(arrays["levels"]), walked)


def _scores(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return levels.astype(np.float32) / np.float32(LEVELS)


def _read(path: str | Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = ["classes", "levels", *(["background"] if "background" in file else [])]
            return {name: file[name] for name in names}
    except FileNotFoundError:
        raise UserError(f"{path}: no CAM; run `acr cam` first") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        damaged = UserError(f"{path}: damaged CAM file ({error}); delete it and run `acr cam` again")
        raise refusal(path, error) or damaged from None


def is_whole(path: str | Path) -> bool:
    """Whether the file can be read to its end."""
    try:
        read_levels(path)
    except UserError:
        return False
    return True
