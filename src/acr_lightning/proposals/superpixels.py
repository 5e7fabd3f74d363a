"""Superpixels as proposals: no weights, no compiler (Felzenszwalb and Huttenlocher, IJCV 2004)."""

import numpy as np
from numpy.typing import NDArray

from acr_lightning.classes.bounded import NonNegativeInt, PositiveFloat
from acr_lightning.proposals.mask_runs import Runs, runs_of
from acr_lightning.proposals.proposal_inference import ProposalInference


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
