"""What the CAMs of a photo and of its two halves are compared by (CPN, ICCV 2021)."""

from typing import NamedTuple

import torch
from torch import Tensor

from acr_lightning.cam.extremes import largest, least
from acr_lightning.cam.normalise import normalise_cam

# Maps of the photo, of what is shown of it, and of what is hidden.
Views = tuple[Tensor, Tensor, Tensor]


class Complement(NamedTuple):
    """The terms beside the classification, unweighted.

    Attributes:
        pair: how far the halves' CAMs are from adding up to the photo's; trains the photo's CAM alone.
        spread_pair: the same of the spread CAMs; trains the layers that spread.
        cross: what one half leaves of the photo's CAM, and the other half's spread CAM; trains the same layers.
        quiet: what the spread CAMs have of the tags where there is least of them; trains the same layers.
    """

    pair: Tensor
    spread_pair: Tensor
    cross: Tensor
    quiet: Tensor


def complement(cams: Views, spread: Views, tags: Tensor, shown: Tensor) -> Complement:
    """Compare the CAMs of a photo with those of its halves, each of which counts by its size.

    Args:
        cams: `A` of each view, as large as the photo, `[B, K, H, W]`.
        spread: the spread CAMs likewise, without the background.
        tags: `y`, `[B, K]` of 0 and 1.
        shown: share of the photo that the first half shows, `[B]`.
    """
    shares = [share[:, None, None, None] for share in (torch.ones_like(shown), shown, 1 - shown)]
    whole, one, two = (normalise_cam(cam, tags) * share for cam, share in zip(cams, shares, strict=True))
    spread_whole, spread_one, spread_two = (
        normalise_cam(cam, tags) * share for cam, share in zip(spread, shares, strict=True)
    )
    return Complement(
        pair=(one.detach() + two.detach() - whole).abs().mean(),
        spread_pair=(spread_whole - spread_one - spread_two).abs().mean(),
        cross=largest(_left(whole, one) - _with_background(spread_two))
        + largest(_left(whole, two) - _with_background(spread_one)),
        quiet=torch.stack([least(cam, tags) for cam in spread]).mean(),
    )


def _with_background(cam: Tensor) -> Tensor:
    """The background is what the classes leave: `[B, K + 1, H, W]`."""
    return torch.cat([1 - cam.amax(dim=1, keepdim=True), cam], dim=1)


def _left(whole: Tensor, half: Tensor) -> Tensor:
    """What a half leaves of the photo's CAM in each pixel's likeliest class, perhaps the background; no gradient."""
    difference = (_with_background(whole) - _with_background(half)).detach()
    return difference * (difference == difference.amax(dim=1, keepdim=True))
