"""Callbacks that change speed only; for `trainer.callbacks` of an experiment."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class ChannelsLast(Callback):
    """Keeps weights, and so activations, in channels-last memory format: faster half-precision convolutions on GPUs."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: D102
        to: Any = pl_module.to  # Lightning's own signature knows devices and dtypes only
        to(memory_format=torch.channels_last)


class Compile(Callback):
    """Compiles the networks in place (`torch.compile`), so checkpoints and manual optimisation stay as they are.

    The module's `compiled_parts` names what is compiled; a module without it has all its networks compiled. Which
    parameters are trained, and of what size images are, is part of what a compiled graph is valid for: the first step
    of each phase compiles, and so do the first photos of new sizes.

    Args:
        backend: of `torch.compile`.
        mode: of `torch.compile`.
    """

    def __init__(self, backend: str = "inductor", mode: str | None = None) -> None:
        self.backend, self.mode = backend, mode

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: D102
        names: Any = getattr(pl_module, "compiled_parts", [name for name, _ in pl_module.named_children()])
        for name, part in pl_module.named_modules():
            if name in names:
                part.compile(backend=self.backend, mode=self.mode)
