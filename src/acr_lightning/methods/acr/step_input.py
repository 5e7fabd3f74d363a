"""What one step works on, drawn once for both updates."""

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.nets.reconstructor import Features, Reconstructor


@dataclass
class StepInput:
    """The images of a step and what was drawn for them.

    Attributes:
        image: in `[0, 1]`, `[B, 3, H, W]`; each network normalises for itself.
        tags: `y`, `[B, K]` of 0 and 1.
        target: `t`, one tagged class per image, `[B]`.
        removal: SRF's `M` at the working size, `[B, 1, h, w]` of 0 and 1; None without SRF.
        maps: what a frozen backbone made of the images, finest first, if that is kept.
        classified: the classifier's pass, with its graph, if both updates share it.
        features: `f` of RU without gradient, if CU is to take them.
    """

    image: Tensor
    tags: Tensor
    target: Tensor
    removal: Tensor | None = None
    maps: list[Tensor] | None = None
    classified: ClassifierOutput | None = None
    features: Features | None = None

    def seen_by(self, network: Classifier | Reconstructor) -> Any:
        """What a network is given: images as it was trained with, or the maps that are kept of them."""
        return network.normalise(self.image) if self.maps is None else self.maps

    def split(self, size: int) -> list["StepInput"]:
        """Parts of `size` images each, for gradient accumulation."""
        starts = range(0, len(self.image), size)
        return [
            replace(
                self,
                image=self.image[start : start + size],
                tags=self.tags[start : start + size],
                target=self.target[start : start + size],
                removal=None if self.removal is None else self.removal[start : start + size],
                maps=None if self.maps is None else [one[start : start + size] for one in self.maps],
            )
            for start in starts
        ]
