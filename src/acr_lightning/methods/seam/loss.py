"""What the CAMs of two sizes of a photo are compared by (SEAM, CVPR 2020)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam

# Shares: of the pixels that are least like any tag, and of the differences that are largest.
LEAST, LARGEST = 0.25, 0.2


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
        cross=_largest(_exclusive(two) - spread_one) + _largest(_exclusive(one) - spread_two),
        quiet=(_least(spread[0][:, 1:], tags) + _least(spread[1][:, 1:], tags)) / 2,
    )


def _exclusive(cam: Tensor) -> Tensor:
    """Each pixel's likeliest class keeps its value, and the background is what it leaves: `[B, K + 1, h, w]`."""
    fixed = cam.detach()
    largest = fixed.amax(dim=1, keepdim=True)
    return torch.cat([1 - largest, fixed * (fixed == largest)], dim=1)


def _largest(difference: Tensor) -> Tensor:
    """The mean of each photo's largest differences."""
    flat = difference.abs().flatten(1)
    return flat.topk(int(LARGEST * flat.shape[1])).values.mean()


def _least(cam: Tensor, tags: Tensor) -> Tensor:
    """The mean over the pixels of each photo that have least of any tag."""
    flat = (cam * tags[:, :, None, None]).amax(dim=1).flatten(1)
    return F.relu(flat.topk(int(LEAST * flat.shape[1]), largest=False).values).mean()


def _shrunk(maps: Tensor, size: torch.Size) -> Tensor:
    return maps if maps.shape[-2:] == size else F.interpolate(maps, size, mode="bilinear", align_corners=True)
