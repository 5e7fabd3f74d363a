"""A checksum inside a safetensors file, whose format has none: a flipped byte would be another weight."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file

from acr_lightning.errors import UserError

# In the file's metadata.
KEY = "tensors_sha256"


def tensors_sha256(state: Mapping[str, NDArray[np.generic]]) -> str:
    """The SHA-256 of all tensors, in the order of their names, each after its name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(state[name]).data)
    return digest.hexdigest()


def require_whole(path: str | Path) -> None:
    """Compare a safetensors file with the checksum that it carries; one without any passes.

    Raises:
        UserError: they differ.
    """
    with safe_open(path, "numpy") as file:
        digest = (file.metadata() or {}).get(KEY)
    if digest is not None and tensors_sha256(load_file(path)) != digest:
        raise UserError(f"weights: {path} is damaged (its checksum is wrong); convert or copy it again")
