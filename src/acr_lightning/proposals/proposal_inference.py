"""Stage `proposals`: the masks of each photo, whatever finds them."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule
from numpy.typing import NDArray

from acr_lightning.proposals.mask_runs import Runs


class ProposalInference(LightningModule, ABC):
    """The masks of each photo, whatever they are; a subclass says how they are found."""

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, list[Runs], Any]]:
        """Of each photo its id, its masks, and its height and width."""
        photos = [(one["image"] * 255).round().byte().permute(1, 2, 0).cpu().numpy() for one in samples]
        return [(one["id"], self.masks(photo), photo.shape[:2]) for one, photo in zip(samples, photos, strict=True)]

    @abstractmethod
    def masks(self, image: NDArray[np.uint8]) -> list[Runs]:
        """The masks of a photo, RGB `[H, W, 3]`; none of them is empty."""
