"""The pictures of the page: a photo, and what lies over it."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.report.pictures import class_colours

# How much of the photo a label hides, of 255.
OPACITY = 150


def photo_jpeg(image: NDArray[np.uint8], side: int) -> bytes:
    """A photo `[H, W, 3]`, its long side at most so many pixels."""
    return _bytes(_within(Image.fromarray(image), side, Image.Resampling.LANCZOS), "JPEG", quality=85)


def label_png(label: NDArray[np.uint8], side: int) -> bytes:
    """A label map `[H, W]` in class colours to lie over its photo: background is transparent, 255 white."""
    image = Image.fromarray(label)
    image.putpalette(class_colours().tobytes())
    opacity = bytes([0] + [OPACITY] * 255)
    return _bytes(_within(image, side, Image.Resampling.NEAREST), "PNG", transparency=opacity)


def levels_png(levels: NDArray[np.uint8], side: int) -> bytes:
    """One class's CAM `[H, W]` in 0..255, in grey; the page gives it its colours."""
    return _bytes(_within(Image.fromarray(levels), side, Image.Resampling.BILINEAR), "PNG")


def _within(image: Image.Image, side: int, way: Image.Resampling) -> Image.Image:
    share = min(1.0, side / max(image.size))
    width, height = (max(1, round(one * share)) for one in image.size)
    return image.resize((width, height), way)


def _bytes(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
