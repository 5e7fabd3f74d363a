"""What the CAMs of two sizes of a photo are compared by (SEAM, CVPR 2020)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.extremes import largest, least
from acr_lightning.cam.normalise import normalise_cam
from acr_lightning.nets.refined_cam import exclusive


class Agreement(NamedTuple):
    """The terms beside the classification, unweighted.

    Attributes:
        equivariance: `L_ER`, of the classifier's CAMs; trains the classifier.
        cross: `L_ECR`, of either spread CAM and the other size's CAM; trains the layers that spread.
        quiet: what the spread CAMs have of the tags where there is least of them; trains the same layers.
    """

    equivariance: Tensor
    cross: Tensor
    quiet: Tensor


def agreement(cams: tuple[Tensor, Tensor], spread: tuple[Tensor, Tensor], tags: Tensor) -> Agreement:
    """Compare the CAMs of both sizes, on the grid of the smaller photo's pixels.

    Args:
        cams: `A` of the photo and of the smaller one, each as large as its photo, `[B, K, H_v, W_v]`.
        spread: the spread CAMs likewise, `[B, K + 1, H_v, W_v]`, the background first.
        tags: `y`, `[B, K]` of 0 and 1.
    """
    size = cams[1].shape[-2:]
    with_background = F.pad(tags, (1, 0), value=1.0)
    one, two = (_shrunk(normalise_cam(cam, tags), size) for cam in cams)
    spread_one, spread_two = (_shrunk(normalise_cam(cam, with_background), size) for cam in spread)
    return Agreement(
        equivariance=(one - two).abs().mean(),
        cross=largest(exclusive(two.detach()) - spread_one) + largest(exclusive(one.detach()) - spread_two),
        quiet=(least(spread[0][:, 1:], tags) + least(spread[1][:, 1:], tags)) / 2,
    )


def _shrunk(maps: Tensor, size: torch.Size) -> Tensor:
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size, mode="bilinear", align_corners=True)
