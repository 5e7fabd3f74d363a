"""One image's CAM on disk: the present classes only, 8 bits a score, compressed, no pickle."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import UserError

# Scores are kept as multiples of 1/255, so a score is off by 1/510 at the most.
LEVELS = 255


@dataclass(frozen=True)
class CamFile:
    """The CAM of one image.

    Attributes:
        classes: the tagged classes, `[P]`, counted from 0 (the label of class `k` is `k + 1`).
        scores: normalised CAM per tagged class, `[P, H, W]` in `[0, 1]`, at the photo's size.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.float32]


def write_cam(path: str | Path, classes: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
    """Write the CAM of one image, atomically.

    Args:
        path: `<id>.npz`.
        classes: `[P]`, counted from 0.
        scores: `[P, H, W]` in `[0, 1]`; stored as `round(255·score)`.
    """
    levels = np.rint(np.clip(scores, 0, 1) * LEVELS).astype(np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, classes=classes.astype(np.int64), levels=levels)
    with atomic_write(path) as file:
        file.write(buffer.getvalue())


def read_levels(path: str | Path) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Read the classes `[P]` and the stored levels `[P, H, W]` (0..255) of one image.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["classes"], file["levels"]
    except FileNotFoundError:
        raise UserError(f"{path}: no CAM; run `acr cam` first") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged CAM file ({error}); delete it and run `acr cam` again") from None


def read_cam(path: str | Path) -> CamFile:
    """Read one image's CAM as scores in `[0, 1]` (see `read_levels` for the errors)."""
    classes, levels = read_levels(path)
    return CamFile(classes, levels.astype(np.float32) / np.float32(LEVELS))


def is_whole(path: str | Path) -> bool:
    """Whether the file can be read to its end."""
    try:
        read_levels(path)
    except UserError:
        return False
    return True
