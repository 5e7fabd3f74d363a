"""Cutting an object out by its label, and pasting it onto another photo (CDA, ICCV 2021)."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import IGNORE

# Smallest and largest share of a photo that an object may have, and the largest share of a side that it is pasted at.
SMALLEST, LARGEST, SIDE = 0.1, 0.7, 0.7


class Cutout(NamedTuple):
    """An object in its bounding box.

    Attributes:
        image: RGB, `[h, w, 3]`.
        shown: 1 where it is, 0 elsewhere, `[h, w]`.
    """

    image: NDArray[np.uint8]
    shown: NDArray[np.uint8]


def cut_out(image: NDArray[np.uint8], label: NDArray[np.uint8]) -> Cutout | None:
    """The object of a photo whose label has one class alone; None where it has others, or too much or little of it.

    Args:
        image: RGB, `[H, W, 3]`.
        label: `[H, W]`, 0 background, 255 unknown.
    """
    mask = (label != 0) & (label != IGNORE)
    if len(np.unique(label[mask])) != 1 or not SMALLEST <= mask.mean() <= LARGEST:
        return None
    box = tuple(slice(along.argmax(), len(along) - along[::-1].argmax()) for along in (mask.any(1), mask.any(0)))
    return Cutout(image[box], mask[box].astype(np.uint8))


def paste(image: NDArray[np.uint8], cutout: Cutout, generator: np.random.Generator) -> NDArray[np.uint8]:
    """A photo with an object on it, turned by up to a right angle, smaller if it must be, at a random place.

    Args:
        image: RGB, `[H, W, 3]`.
        cutout: the object.
        generator: of angle and place.

    Returns:
        `[H, W, 3]`, a new one.
    """
    piece = _turned(cutout, float(generator.uniform(-90, 90)))
    (height, width), (h, w) = image.shape[:2], piece.shown.shape
    factor = min(1.0, SIDE * height / h, SIDE * width / w)
    size = max(1, int(w * factor)), max(1, int(h * factor))
    small = cv2.resize(piece.image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(piece.shown, size, interpolation=cv2.INTER_NEAREST) > 0
    top, left = (int(generator.integers(most + 1)) for most in (height - size[1], width - size[0]))
    copy = image.copy()
    copy[top : top + size[1], left : left + size[0]][mask] = small[mask]
    return copy


def _turned(cutout: Cutout, degrees: float) -> Cutout:
    """The object turned, in a box that is as large as it must be."""
    height, width = cutout.shown.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(np.ceil(width * cosine + height * sine)), int(np.ceil(width * sine + height * cosine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    image = cv2.warpAffine(cutout.image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(cutout.shown, matrix, size, flags=cv2.INTER_NEAREST)
    return Cutout(np.asarray(image, np.uint8), np.asarray(mask, np.uint8))
