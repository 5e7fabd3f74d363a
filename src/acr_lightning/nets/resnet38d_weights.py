"""ResNet38d's ImageNet weights from MXNet's file to safetensors.

The names are those of itijyou/ademxapp, `util/symbol/resnet_v2.py`: units `2a`, `2b1`, `2b2`, …, `7a`, each with
convolutions `res…` and BatchNorms `bn…` of its branches, parameters with `arg:`, running statistics with `aux:` before.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

import acr_lightning.nets.resnet38d  # noqa: F401  importing registers it with timm
from acr_lightning.artefacts.atomic import atomic_path, require_replaceable
from acr_lightning.errors import UserError
from acr_lightning.nets.mxnet_params import read_mxnet_params
from acr_lightning.nets.tensors_digest import KEY, tensors_sha256

log = logging.getLogger(__name__)

# `ilsvrc-cls_rna-a1_cls1000_ep-0001.params` in itijyou/ademxapp, `models/checksum.md5`.
PUBLISHED_MD5 = "ff21f45d6bf03284100dcbec571edfad"
# Of the names and the layout in the file that is written.
FORMAT_VERSION = "1"

BRANCHES = {"1": "branch2a", "2": "branch2b1", "3": "branch2b2"}
BATCHNORM = {
    "weight": ("arg", "gamma"),
    "bias": ("arg", "beta"),
    "running_mean": ("aux", "moving_mean"),
    "running_var": ("aux", "moving_var"),
}


class Digests(NamedTuple):
    """Checksums of a file, hexadecimal."""

    sha256: str
    md5: str


def convert(
    source: Path, target: Path, sha256: str | None = None, force: bool = False, architecture: str = "resnet38d"
) -> Digests:
    """Convert a `.params` file to a file for `weights:`; it is read back before it gets its name.

    Args:
        source: MXNet's file.
        target: a `.safetensors` file.
        sha256: what the source's SHA-256 has to be, hexadecimal; None takes any.
        force: replace the target.
        architecture: timm's name of the network.

    Returns:
        The source's checksums.

    Raises:
        UserError: the target exists or has another suffix; the source is missing or damaged, has another checksum, or
            its tensors are not the network's; the target cannot be written.
    """
    if target.suffix != ".safetensors":
        raise UserError(f"{target}: the name must end in .safetensors, for that is how the file is recognised")
    require_replaceable(target, "a file")
    if target.exists() and not force:
        raise UserError(f"{target}: exists; --force replaces it")
    arrays = read_mxnet_params(source)
    digests = file_digests(source)
    if sha256 is not None and sha256.lower() != digests.sha256:
        raise UserError(f"{source}: SHA-256 is {digests.sha256}, not {sha256.lower()}; download the file again")
    try:
        state = named_tensors(arrays, tensor_shapes(architecture))
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    if digests.md5 != PUBLISHED_MD5:
        log.warning(
            "%s: MD5 is %s, not %s of the published file; names and shapes fit and all values are finite, "
            "but they may be other values", source, digests.md5, PUBLISHED_MD5,
        )  # fmt: skip
    metadata = {
        "format": "pt",  # what other readers of safetensors look for
        "format_version": FORMAT_VERSION,
        "architecture": architecture,
        "source": source.name,
        "source_sha256": digests.sha256,
        KEY: tensors_sha256(state),
    }
    try:
        with atomic_path(target) as temporary:
            save_file(state, temporary, metadata)
            if not _holds(temporary, state, metadata):
                raise UserError(f"{target}: what was written does not read back the same; is the disk sound?")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{target}: cannot be written ({error})") from None
    return digests


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


def file_digests(path: Path) -> Digests:
    """SHA-256 and MD5 of a file, in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(2**20):
            sha256.update(block)
            md5.update(block)
    return Digests(sha256.hexdigest(), md5.hexdigest())


def _holds(path: Path, state: Mapping[str, NDArray[np.float32]], metadata: dict[str, str]) -> bool:
    with safe_open(path, "numpy") as file:
        return (
            file.metadata() == metadata
            and set(file.keys()) == set(state)
            and all(np.array_equal(file.get_tensor(key), value) for key, value in state.items())
        )


def _some(names: list[str]) -> str:
    """The first three names; a damaged one may hold any character."""
    return ", ".join(map(repr, names[:3])) + (", …" if len(names) > 3 else "")
