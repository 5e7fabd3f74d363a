"""Superpixels as proposals: no weights, no compiler (Felzenszwalb and Huttenlocher, IJCV 2004)."""

from typing import Any

import numpy as np
from lightning.pytorch import LightningModule
from numpy.typing import NDArray

from acr_lightning.classes.bounded import NonNegativeInt, PositiveFloat
from acr_lightning.proposals.mask_runs import Runs, runs_of


class ProposalInference(LightningModule):
    """The masks of each photo, whatever they are; a subclass says how they are found."""

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, list[Runs], Any]]:
        """Of each photo its id, its masks, and its height and width."""
        photos = [(one["image"] * 255).round().byte().permute(1, 2, 0).cpu().numpy() for one in samples]
        return [(one["id"], self.masks(photo), photo.shape[:2]) for one, photo in zip(samples, photos, strict=True)]

    def masks(self, image: NDArray[np.uint8]) -> list[Runs]:
        """The masks of a photo, RGB `[H, W, 3]`; none of them is empty."""
        raise NotImplementedError


class Superpixels(ProposalInference):
    """The regions of like colour, which cover the photo.

    Args:
        scale: a larger one makes larger regions.
        sigma: width of the blur before, pixels.
        min_size: smaller regions are joined to a neighbour, pixels.
    """

    def __init__(self, scale: PositiveFloat = 300.0, sigma: float = 0.8, min_size: NonNegativeInt = 20) -> None:
        super().__init__()
        self.scale, self.sigma, self.min_size = scale, sigma, min_size

    def masks(self, image: NDArray[np.uint8]) -> list[Runs]:  # noqa: D102
        from skimage.segmentation import felzenszwalb

        regions = felzenszwalb(image, self.scale, self.sigma, self.min_size)
        return [runs_of(regions == number) for number in range(regions.max() + 1)]
