"""What one step works on, drawn once for both updates."""

from dataclasses import dataclass

from torch import Tensor

from acr_lightning.nets.classifier import ClassifierOutput
from acr_lightning.nets.reconstructor import Features
from acr_lightning.training.photos import PhotoBatch


@dataclass(kw_only=True)
class StepInput(PhotoBatch):
    """The photos of a step, and what is fed and kept of them.

    Attributes:
        target: `t`, one tagged class per image, `[B]`.
        removal: SRF's `M` at the working size, `[B, 1, h, w]` of 0 and 1; None without SRF.
        classified: the classifier's pass, with its graph, if both updates share it.
        features: `f` of RU without gradient, if CU is to take them.
    """

    target: Tensor
    removal: Tensor | None = None
    classified: ClassifierOutput | None = None
    features: Features | None = None
