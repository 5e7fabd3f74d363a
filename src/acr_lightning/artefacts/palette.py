"""Label maps as palette PNGs, the way PASCAL VOC stores them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import UserError

IGNORE = 255


def voc_palette() -> NDArray[np.uint8]:
    """VOC's colours, `[256, 3]`: bit `j` of a colour channel comes from bits `3·i + channel` of the index."""
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return palette


def write_mask(path: str | Path, mask: NDArray[np.uint8]) -> None:
    """Write a label map `[H, W]` (0 background, 1..K classes, 255 ignore) as a palette PNG, atomically."""
    image = Image.fromarray(mask)
    image.putpalette(voc_palette().tobytes())  # makes it a palette image whose indices are the labels
    with atomic_write(path) as file:
        image.save(file, "PNG")


def read_mask(path: str | Path) -> NDArray[np.uint8]:
    """Read a label map `[H, W]`: the indices of a palette PNG, or the values of a grey one.

    Raises:
        UserError: the file is missing, damaged, or neither palette nor 8-bit grey (a colour picture of a mask).
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L"):
                raise UserError(f"{path}: a mask must be a palette or 8-bit grey PNG, this one is {image.mode}")
            return np.array(image, dtype=np.uint8)
    except FileNotFoundError:
        raise UserError(f"{path}: no such mask") from None
    except (OSError, SyntaxError) as error:
        raise UserError(f"{path}: cannot be read as a mask ({error}); make it again or replace it") from None


def is_whole(path: str | Path) -> bool:
    """Whether the PNG can be decoded to its end."""
    try:
        read_mask(path)
    except UserError:
        return False
    return True
