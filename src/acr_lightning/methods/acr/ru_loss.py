"""The reconstructor's update (RU): learn to paint what was removed from what is left."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

# An image of which no more than this share is fed says nothing about its target: 50 pixels of a 256 × 256 crop.
LEAST_FED = 50 / 256**2


@dataclass(frozen=True)
class RUWeights:
    """Weights of RU's terms; the defaults are the paper's.

    Args:
        whole: of the reconstruction from all features.
        target: of the error inside the removed target.
        non_target: of the error inside the removed non-target.
    """

    whole: float = 0.2
    target: float = 0.3
    non_target: float = 0.5


class RULoss(NamedTuple):
    """The terms of RU, unweighted.

    Attributes:
        classification: `BCE(cls_R, y)`.
        whole: `L1(dec(sg(f)), x)`.
        target: `|r_t · (dec(f·(1 − r_t)) − x)|`.
        non_target: `|r_nt · (dec(f·(1 − r_nt)) − x)|`.
    """

    classification: Tensor
    whole: Tensor
    target: Tensor
    non_target: Tensor

    def total(self, weights: RUWeights, force: float = 1.0) -> Tensor:
        """The weighted sum; `force` multiplies all but the classification."""
        reconstruction = (
            weights.whole * self.whole + weights.target * self.target + weights.non_target * self.non_target
        )
        return self.classification + force * reconstruction


def removed_parts(segment: Tensor, removal: Tensor | None) -> tuple[Tensor, Tensor]:
    """`r_t = S·M` and `r_nt = (1 − S)·M`.

    Args:
        segment: `S`, `[B, 1, H, W]` in `[0, 1]`.
        removal: SRF's `M`, `[B, 1, H, W]` of 0 and 1; None without SRF, `M = 1`.

    Returns:
        Two maps `[B, 1, H, W]` in `[0, 1]`.
    """
    if removal is None:
        return segment, 1 - segment
    return segment * removal, (1 - segment) * removal


def ru_loss(
    *,
    classification: Tensor,
    image: Tensor,
    whole: Tensor,
    without_target: Tensor,
    without_non_target: Tensor,
    removed_target: Tensor,
    removed_non_target: Tensor,
) -> RULoss:
    """RU's four terms; those of the images are means over all elements (ACR, CVPR 2023).

    Args:
        classification: the loss of the reconstructor's own head.
        image: `x`, normalised, `[B, 3, H, W]`.
        whole: `dec(sg(f))`, `[B, 3, H, W]`.
        without_target: `dec(f·(1 − r_t))`, `[B, 3, H, W]`.
        without_non_target: `dec(f·(1 − r_nt))`, `[B, 3, H, W]`.
        removed_target: `r_t`, `[B, 1, H, W]`; an image of which next to nothing is fed, `Σ (1 − r_t) ≤ 50` pixels,
            adds nothing to the target term.
        removed_non_target: `r_nt`, `[B, 1, H, W]`.
    """
    is_fed = ((1 - removed_target).mean(dim=(1, 2, 3), keepdim=True) > LEAST_FED).to(image.dtype)
    return RULoss(
        classification=classification,
        whole=F.l1_loss(whole, image),
        target=(is_fed * removed_target * (without_target - image)).abs().mean(),
        non_target=(removed_non_target * (without_non_target - image)).abs().mean(),
    )
