"""MXNet's files of named arrays (`.params`), read without MXNet.

The format as MXNet's `src/ndarray/ndarray.cc` writes it, little-endian:

    uint64 magic 0x112, uint64 reserved, uint64 number of arrays, the arrays,
    uint64 number of names, for each: uint64 length, the characters

    an array:  shape, int32 device type, int32 device number, int32 element type, the elements
    a shape:   uint32 0xF993FACA or 0xF993FAC9 (versions 3, 2), int32 storage type, uint32 dimensions, int64 sizes
               uint32 0xF993FAC8 (version 1),                                       uint32 dimensions, int64 sizes
                                                                                    uint32 dimensions, uint32 sizes
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.errors import UserError

FILE_MAGIC = 0x112
WITH_STORAGE_TYPE = (0xF993FACA, 0xF993FAC9)
WITHOUT_STORAGE_TYPE = 0xF993FAC8
DENSE = 0
MAX_DIMENSIONS = 32
DEVICE_TYPES = {1: "cpu", 2: "gpu", 3: "pinned memory", 5: "shared memory"}
MAX_DEVICES = 16
ELEMENT_TYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "u1", 4: "<i4", 5: "i1", 6: "<i8"}
# One dimension in the oldest form, one element of one byte.
SMALLEST_ARRAY = 4 + 4 + 8 + 4 + 1


def read_mxnet_params(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file; nothing is believed before it is compared with the file's size.

    Args:
        path: of a `.params` file that holds named, dense arrays.

    Returns:
        Read-only views into the file, by name, in the file's order.

    Raises:
        UserError: no such file, or one that is damaged, cut short or of another format; the message names the field
            and its place in the file.
    """
    fields = _Fields(path)
    if (magic := fields.unsigned("magic number", 8)) != FILE_MAGIC:
        raise fields.error(f"{magic:#x}, not {FILE_MAGIC:#x} as in MXNet's .params files")
    if reserved := fields.unsigned("reserved word", 8):
        raise fields.error(f"{reserved:#x}, not 0")
    count = fields.unsigned("number of arrays", 8)
    if count * SMALLEST_ARRAY > fields.left:
        raise fields.error(f"{count:,}, too many for the {fields.left:,} bytes that follow")
    arrays = [_array(fields, f"array {index} of {count}: ") for index in range(1, count + 1)]
    names = _names(fields, count)
    if fields.left:
        raise fields.error(f"the last one, but {fields.left:,} bytes follow")
    return dict(zip(names, arrays, strict=True))


class _Fields:
    """The bytes of a file, taken field by field; an error names the field that was taken last."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.position = self.start = 0
        self.field = ""
        try:
            size = Path(path).stat().st_size
            # An empty file cannot be mapped.
            self.content = np.memmap(path, np.uint8, "r").view(np.ndarray) if size else np.empty(0, np.uint8)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None

    @property
    def left(self) -> int:
        return len(self.content) - self.position

    def take(self, field: str, size: int) -> NDArray[np.uint8]:
        self.field, self.start = field, self.position
        if size > self.left:
            raise self.error(f"{size:,} bytes, but the file ends after {self.left:,}")
        self.position += size
        return self.content[self.start : self.position]

    def unsigned(self, field: str, size: int) -> int:
        return int.from_bytes(self.take(field, size).tobytes(), "little")

    def signed(self, field: str, size: int) -> int:
        return int.from_bytes(self.take(field, size).tobytes(), "little", signed=True)

    def error(self, problem: str) -> UserError:
        return UserError(
            f"{self.path}: damaged, cut short or not of MXNet: {self.field} (byte {self.start:,}) is {problem}; "
            "download the file again"
        )


def _array(fields: _Fields, where: str) -> NDArray[Any]:
    shape = _shape(fields, where)
    device = fields.signed(f"{where}device type", 4)
    if device not in DEVICE_TYPES:
        raise fields.error(f"{device}, not one of {list(DEVICE_TYPES)}")
    number = fields.signed(f"{where}device number", 4)
    if not 0 <= number < MAX_DEVICES:
        raise fields.error(f"{number}, not 0 to {MAX_DEVICES - 1}")
    code = fields.signed(f"{where}element type", 4)
    if code not in ELEMENT_TYPES:
        raise fields.error(f"{code}, not one of {list(ELEMENT_TYPES)}")
    dtype = np.dtype(ELEMENT_TYPES[code])
    return fields.take(f"{where}data", math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape)


def _shape(fields: _Fields, where: str) -> tuple[int, ...]:
    form = fields.unsigned(f"{where}version or number of dimensions", 4)
    new = form in (*WITH_STORAGE_TYPE, WITHOUT_STORAGE_TYPE)
    if form in WITH_STORAGE_TYPE and (storage := fields.signed(f"{where}storage type", 4)) != DENSE:
        raise fields.error(f"{storage}; only dense arrays ({DENSE}) are read")
    dimensions = fields.unsigned(f"{where}number of dimensions", 4) if new else form
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise fields.error(f"{dimensions:#x}, not 1 to {MAX_DIMENSIONS}")
    shape: list[int] = []
    for axis in range(dimensions):
        field = f"{where}size of dimension {axis}"
        size = fields.signed(field, 8) if new else fields.unsigned(field, 4)
        # An element takes a byte at least.
        most = fields.left // math.prod(shape)
        if not 1 <= size <= most:
            raise fields.error(f"{size:,}, not 1 to {most:,}, for which the file has bytes")
        shape.append(size)
    return tuple(shape)


def _names(fields: _Fields, count: int) -> list[str]:
    named = fields.unsigned("number of names", 8)
    if named != count:
        raise fields.error(f"{named:,}, not {count:,} as the number of arrays")
    names: dict[str, None] = {}
    for index in range(1, count + 1):
        length = fields.unsigned(f"length of name {index}", 8)
        try:
            name = fields.take(f"name {index}", length).tobytes().decode()
        except UnicodeDecodeError:
            raise fields.error("no UTF-8 text") from None
        if name in names:
            raise fields.error(f"{name!r}, a second time")
        names[name] = None
    return list(names)
