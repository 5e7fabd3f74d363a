"""`acr validate|test|predict`: LightningCLI as it is, for any model and data by class_path."""

import sys


def run_lightning(command: str, words: list[str]) -> int:
    """Hand a command to LightningCLI with this package's classes known by their short names."""
    from lightning.pytorch import LightningDataModule, LightningModule
    from lightning.pytorch.cli import LightningCLI

    import acr_lightning.affinity.module
    import acr_lightning.data.coco
    import acr_lightning.data.datamodule
    import acr_lightning.data.shapes
    import acr_lightning.data.tag_folder
    import acr_lightning.methods.acr.module
    import acr_lightning.segment.module  # noqa: F401

    sys.argv = ["acr"]  # LightningCLI warns when both its arguments and the process's are there
    LightningCLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        auto_configure_optimizers=False,
        save_config_callback=None,
        args=[command, *words],
    )
    return 0
