"""Label maps as palette PNGs, the way PASCAL VOC stores them."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.errors import UserError, reading

IGNORE = 255
# What Pillow reads by itself; PostScript, whatever its suffix, it would have Ghostscript run.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "JPEG2000")


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
    with atomic_write(path) as file:
        file.write(png_bytes(mask))


def png_bytes(mask: NDArray[np.uint8]) -> bytes:
    """A label map `[H, W]` as a PNG with VOC's palette."""
    image = Image.fromarray(mask)
    image.putpalette(voc_palette().tobytes())  # makes it a palette image whose indices are the labels
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class StoredMask(NamedTuple):
    """A mask as its file has it.

    Attributes:
        labels: indices of a palette image, or values of a grey one, `[H, W]`.
        colours: the file's palette, `[N, 3]` with N up to 256; None in a grey image.
        file_format: as Pillow names it; masks are `PNG`.
    """

    labels: NDArray[np.uint8]
    colours: NDArray[np.uint8] | None
    file_format: str

    def wrong_colours(self) -> list[int]:
        """The labels in use whose colour is not VOC's: then the indices may mean something else than the colours."""
        if self.colours is None:
            return []
        labels, palette = np.unique(self.labels), voc_palette()
        return [int(i) for i in labels if i >= len(self.colours) or (self.colours[i] != palette[i]).any()]


def read_stored_mask(path: str | Path) -> StoredMask:
    """Read a mask file with its palette, to its end.

    Raises:
        UserError: the file is missing, damaged, or neither palette nor 8-bit grey (a colour picture of a mask).
    """
    with reading(path, "no such mask", "cannot be read as a mask ({}); make it again or replace it"):
        # Not `Path(path)` of all: a path in a bucket is one of its own.
        content = (Path(path) if isinstance(path, str) else path).read_bytes()
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.verify()  # every chunk: decoding alone does not miss a cut tail
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.mode not in ("P", "L"):
                raise UserError(f"{path}: a mask must be a palette or 8-bit grey PNG, this one is {image.mode}")
            labels = np.array(image, dtype=np.uint8)
            flat = image.getpalette("RGB") if image.mode == "P" else None
            colours = None if flat is None else np.array(flat, np.uint8).reshape(-1, 3)
            return StoredMask(labels, colours, image.format or "unknown")


def label_faults(
    labels: NDArray[np.uint8], num_labels: int = IGNORE, size: tuple[int, ...] | None = None, unknown: bool = True
) -> dict[str, str]:
    """Why a label map `[H, W]` does not fit: `size` and `value`, each with what is to be put after its name.

    Args:
        labels: of the map.
        num_labels: labels that it may hold, background among them.
        size: height and width of its photo; None takes any.
        unknown: whether it may hold 255 as well.
    """
    faults = {}
    if size is not None and labels.shape != tuple(size):
        faults["size"] = f"is {labels.shape[1]}×{labels.shape[0]}, its photo {size[1]}×{size[0]}"
    highest = int(labels.max(initial=0, where=(labels != IGNORE) | (not unknown)))
    if highest >= num_labels:
        faults["value"] = f"holds the value {highest}, labels are 0 to {num_labels - 1}{', and 255' if unknown else ''}"
    return faults


def read_mask(
    path: str | Path, num_labels: int = IGNORE, size: tuple[int, ...] | None = None, unknown: bool = True
) -> NDArray[np.uint8]:
    """Read a label map `[H, W]`: the indices of a palette PNG, or the values of a grey one.

    Raises:
        UserError: see `read_stored_mask`; or the file is of another format, whose pixels may not be what was stored, or
            does not fit (see `label_faults` for that, and for the other arguments).
    """
    mask = read_stored_mask(path)
    if mask.file_format != "PNG":
        raise UserError(f"{path}: is a {mask.file_format} file; a mask must be a PNG, make it again as one")
    for fault in label_faults(mask.labels, num_labels, size, unknown).values():
        raise UserError(f"{path}: {fault}; make it again")
    return mask.labels
