"""How Lightning's Trainer saves and loads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.plugins.io import TorchCheckpointIO

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.errors import UserError


class WholeCheckpointIO(TorchCheckpointIO):
    """Checkpoints that a full disk or a kill cannot harm, verified when they are loaded.

    Lightning's own plugin writes into `$TMPDIR` and moves the file, which across file systems is a copy onto the last
    good checkpoint.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write beside the target, then rename; a path with a protocol (`s3://…`) is left to Lightning.

        Raises:
            OSError: it cannot be written; what was there is untouched.
        """
        if storage_options is not None or "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
        else:
            checkpoint_file.write(checkpoint, path)

    def load_checkpoint(
        self, path: Any, map_location: Callable[..., Any] | None = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Read a checkpoint on the CPU, without unpickling code.

        Raises:
            UserError: the file is damaged, or not Lightning's.
        """
        if "://" in str(path):
            return super().load_checkpoint(path, weights_only=True)
        checkpoint = checkpoint_file.read(path)
        # A hidden file holds what Lightning's spawning launcher hands from one process to another.
        if "pytorch-lightning_version" not in checkpoint and not Path(path).name.startswith("."):
            raise UserError(f"{path}: not a checkpoint of a training; {checkpoint_file.way_on('the same command')}")
        return checkpoint
