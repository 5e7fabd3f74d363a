"""Reading a photo, or saying why it cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from acr_lightning.artefacts.palette import FORMATS
from acr_lightning.errors import UserError, reading

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# EXIF: its tag for the camera's orientation, and the values that swap height and width.
ORIENTATION = 0x0112
SIDEWAYS = (5, 6, 7, 8)


def photos_below(root: Path) -> Iterator[Path]:
    """Every photo below a folder, in the order of their paths.

    Hidden ones are left out: a folder of thumbnails, or the file `._1.jpg` that macOS puts beside `1.jpg`.
    """
    for path in sorted(root.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in SUFFIXES and not is_hidden:
            yield path


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a photo as RGB, upright (EXIF rotation applied), `[H, W, 3]`.

    Raises:
        UserError: the file is missing, truncated, too large or no image.
    """
    with _opened(Path(path) if isinstance(path, str) else path) as image:
        upright = ImageOps.exif_transpose(image)
        # Pillow would cut 16 bits off at 255, that is, make nearly everything white.
        return np.array((_eight_bits(upright) if upright.mode.startswith("I") else upright).convert("RGB"))


def _eight_bits(image: Image.Image) -> Image.Image:
    """The upper 8 of 16 bits, grey."""
    return Image.fromarray((np.asarray(image).astype(np.uint32).clip(0, 65535) >> 8).astype(np.uint8))


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of a photo, upright, from its header alone (nothing is decoded).

    Raises:
        UserError: the file is missing, too large or no image.
    """
    with _opened(path) as image:
        width, height = image.size
        is_sideways = image.getexif().get(ORIENTATION, 1) in SIDEWAYS
        return (width, height) if is_sideways else (height, width)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A photo to be read; what goes wrong meanwhile is said in one line."""
    with reading(path, "no such photo", "damaged photo ({}); replace it or drop its id from the list"):
        try:
            with path.open("rb") as file, Image.open(file, formats=FORMATS) as image:
                yield image
        except UnidentifiedImageError:
            raise UserError(
                f"{path}: not an image (or its first bytes are damaged); replace it or drop its id"
            ) from None
        except Image.DecompressionBombError as error:
            raise UserError(f"{path}: larger than is read ({error}); make it smaller or drop its id") from None
