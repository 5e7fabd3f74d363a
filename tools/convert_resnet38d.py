"""ResNet38d's ImageNet weights from MXNet's file to safetensors, for `weights: FILE`; MXNet is not needed.

    python tools/convert_resnet38d.py resnet_38d.params weights/resnet38d.safetensors

The names are those of itijyou/ademxapp, `util/symbol/resnet_v2.py`: units `2a`, `2b1`, `2b2`, …, `7a`, each with
convolutions `res…` and BatchNorms `bn…` of its branches, parameters with `arg:`, running statistics with `aux:` before.

The format is as MXNet's `src/ndarray/ndarray.cc` writes it, little-endian:

    uint64 magic 0x112, uint64 reserved, uint64 number of arrays, the arrays,
    uint64 number of names, for each: uint64 length, the characters

    an array:  shape, int32 device type, int32 device number, int32 element type, the elements
    a shape:   uint32 0xF993FACA or 0xF993FAC9 (versions 3, 2), int32 storage type, uint32 dimensions, int64 sizes
               uint32 0xF993FAC8 (version 1),                                       uint32 dimensions, int64 sizes
                                                                                    uint32 dimensions, uint32 sizes
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import acr_lightning.nets.resnet38d  # noqa: F401  importing registers it with timm
from acr_lightning.artefacts.atomic import atomic_path, require_replaceable
from acr_lightning.errors import UserError
from acr_lightning.nets.tensors_digest import KEY, tensors_sha256

# `ilsvrc-cls_rna-a1_cls1000_ep-0001.params` in itijyou/ademxapp, `models/checksum.md5`.
PUBLISHED_MD5 = "ff21f45d6bf03284100dcbec571edfad"

BRANCHES = {"1": "branch2a", "2": "branch2b1", "3": "branch2b2"}
BATCHNORM = {
    "weight": ("arg", "gamma"),
    "bias": ("arg", "beta"),
    "running_mean": ("aux", "moving_mean"),
    "running_var": ("aux", "moving_var"),
}

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


def main(words: list[str] | None = None) -> int:
    """Run the script; its exit status: 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(description="ResNet38d's ImageNet weights from MXNet's file to safetensors")
    parser.add_argument("source", type=Path, help="Model A1 of itijyou/ademxapp, also passed on as resnet_38d.params")
    parser.add_argument("target", type=Path, help="the .safetensors file that is written")
    parser.add_argument("--force", action="store_true", help="replace the target")
    options = parser.parse_args(words)
    try:
        md5 = convert(options.source, options.target, options.force)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    print(options.target)
    if md5 != PUBLISHED_MD5:
        print(
            f"{options.source}: MD5 is {md5}, not {PUBLISHED_MD5} of the published file; names and shapes fit and all "
            "values are finite, but they may be other values",
            file=sys.stderr,
        )
    return 0


def convert(source: Path, target: Path, force: bool = False, architecture: str = "resnet38d") -> str:
    """Convert a `.params` file to a file for `weights:`; it is read back before it gets its name.

    Args:
        source: MXNet's file.
        target: a `.safetensors` file.
        force: replace the target.
        architecture: timm's name of the network.

    Returns:
        The source's MD5, hexadecimal.

    Raises:
        UserError: the target exists or has another suffix; the source is missing or damaged, or its tensors are not
            the network's; the target cannot be written.
    """
    if target.suffix != ".safetensors":
        raise UserError(f"{target}: the name must end in .safetensors, for that is how the file is recognised")
    require_replaceable(target, "a file")
    if target.exists() and not force:
        raise UserError(f"{target}: exists; --force replaces it")
    arrays = read_mxnet_params(source)
    with source.open("rb") as file:
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    try:
        state = named_tensors(arrays, tensor_shapes(architecture))
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    metadata = {
        "format": "pt",  # what other readers of safetensors look for
        "architecture": architecture,
        "source": source.name,
        "source_md5": md5,
        KEY: tensors_sha256(state),
    }
    try:
        with atomic_path(target) as temporary:
            save_file(state, temporary, metadata)
            if tensors_sha256(load_file(temporary)) != metadata[KEY]:
                raise UserError(f"{target}: what was written does not read back the same; is the disk sound?")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{target}: cannot be written ({error})") from None
    return md5


def tensor_shapes(architecture: str) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that a classifier of this architecture loads, by its name in PyTorch."""
    with torch.device("meta"):
        state = timm.create_model(architecture).state_dict()
    # MXNet's BatchNorm counts no batches.
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith("num_batches_tracked")}


def mxnet_name(key: str) -> str:
    """The name in MXNet's file of a tensor of `ResNet38d`: `stage4.2.bn1.weight` is `arg:bn4b2_branch2a_gamma`."""
    *module, tensor = key.split(".")
    if module == ["stem"]:
        return f"arg:conv1a_{tensor}"
    if module == ["fc"]:
        return f"arg:linear1000_{tensor}"
    if module == ["norm"]:
        kind, place = "bn", "7"
    else:
        stage, index, layer = module[0][-1], module[1] if len(module) == 3 else "0", module[-1]
        unit = f"{stage}a" if index == "0" else f"{stage}b{index}"
        branch = "branch1" if layer == "shortcut" else BRANCHES[layer[-1]]
        kind, place = "bn" if layer.startswith("bn") else "res", f"{unit}_{branch}"
    group, parameter = BATCHNORM[tensor] if kind == "bn" else ("arg", tensor)
    return f"{group}:{kind}{place}_{parameter}"


def named_tensors(
    arrays: Mapping[str, NDArray[np.generic]], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.float32]]:
    """MXNet's arrays under PyTorch's names, each used exactly once.

    Args:
        arrays: by MXNet's names.
        shapes: of the wanted tensors, by PyTorch's names (both lay weights out as output, input, height, width).

    Raises:
        UserError: an array is missing or left over, or has another shape or type, or a value that is not finite.
    """
    wanted = {mxnet_name(key): key for key in shapes}
    if missing := [name for name in wanted if name not in arrays]:
        raise UserError(
            f"not ResNet38d's weights: {len(missing)} of {len(wanted)} arrays are missing: {_some(missing)}"
        )
    if surplus := [name for name in arrays if name not in wanted]:
        raise UserError(f"not ResNet38d's weights: {len(surplus)} arrays too many: {_some(surplus)}")
    state = {}
    for name, key in wanted.items():
        array = arrays[name]
        if array.shape != shapes[key]:
            raise UserError(f"not ResNet38d's weights: {name} is {list(array.shape)}, not {list(shapes[key])}")
        if array.dtype != np.float32:
            raise UserError(f"not ResNet38d's weights: {name} is {array.dtype}, not float32")
        if not np.isfinite(array).all():
            raise UserError(f"damaged: {name} has values that are not finite; download the file again")
        state[key] = array.astype(np.float32, copy=False)
    return state


def _some(names: list[str]) -> str:
    """The first three names; a damaged one may hold any character."""
    return ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")


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


if __name__ == "__main__":
    sys.exit(main())
