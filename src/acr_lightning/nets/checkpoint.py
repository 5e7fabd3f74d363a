"""Reading checkpoints safely, part by part."""

from pathlib import Path
from typing import Any

import torch

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.errors import UserError


def read_checkpoint(path: str | Path, key: str, made_by: str) -> dict[str, Any]:
    """Read a checkpoint on the CPU, without unpickling code.

    Raises:
        UserError: the file is missing, damaged, or lacks `key`.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such checkpoint; run `{made_by}` first")
    checkpoint = checkpoint_file.read(path, f"`{made_by}`")
    if key not in checkpoint:
        raise UserError(f"{path}: not a checkpoint of `{made_by}`")
    return checkpoint


def load_part(module: torch.nn.Module, checkpoint: dict[str, Any], name: str) -> None:
    """Load the part of a LightningModule's state that belongs to its attribute `name`."""
    prefix = f"{name}."
    state = checkpoint["state_dict"]
    module.load_state_dict({key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)})
