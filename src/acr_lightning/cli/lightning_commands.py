"""`acr validate|test|predict`: LightningCLI for any model and data by class_path, and for checkpoints of anyone."""

import sys
from pickle import UnpicklingError

from acr_lightning.errors import UserError


def run_lightning(command: str, words: list[str]) -> int:
    """Hand a command to LightningCLI with this package's classes known by their short names.

    Raises:
        UserError: the checkpoint holds pickled objects.
    """
    from lightning.pytorch import LightningDataModule, LightningModule
    from lightning.pytorch.cli import LightningCLI

    import acr_lightning.affinity.module
    import acr_lightning.data.coco
    import acr_lightning.data.datamodule
    import acr_lightning.data.shapes
    import acr_lightning.data.tag_folder
    import acr_lightning.methods.acr.module
    import acr_lightning.segment.module  # noqa: F401

    class WithoutCheckpointValues(LightningCLI):
        """Takes weights from `--ckpt_path`; the model's class and values come from the command line alone."""

        def _parse_ckpt_path(self) -> None:
            pass

    sys.argv = ["acr"]  # LightningCLI warns when both its arguments and the process's are there
    try:
        WithoutCheckpointValues(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            auto_configure_optimizers=False,
            save_config_callback=None,
            # Lightning's default unpickles what it loads from a URL.
            args=[command, "--weights_only=true", *words],
        )
    except UnpicklingError:
        raise UserError(
            "--ckpt_path: holds more than weights, which could run anything; if you trust it, add --weights_only=false"
        ) from None
    return 0
