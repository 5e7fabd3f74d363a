"""What one step works on, drawn once for both updates."""

from dataclasses import dataclass

from torch import Tensor

from acr_lightning.training.photos import PhotoBatch


@dataclass(kw_only=True)
class StepInput(PhotoBatch):
    """The photos of a step, and what is fed and kept of them.

    Attributes:
        target: `t`, one tagged class per image, `[B]`.
        removal: SRF's `M` at the working size, `[B, 1, h, w]` of 0 and 1; None without SRF.
    """

    target: Tensor
    removal: Tensor | None = None
