"""The classifier's update (CU): make a CAM whose two segments cannot be guessed from each other."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


@dataclass(frozen=True)
class CUWeights:
    """Weights of CU's terms, and where the first of them is scored; the defaults are the release's.

    Args:
        target: of `L_t`.
        non_target: of `L_nt`.
        outside: `L_t` is scored where S is at most this; 0 in the paper.
    """

    target: float = 0.8
    non_target: float = 0.3
    outside: float = 0.0


class CULoss(NamedTuple):
    """The terms of CU, unweighted.

    Attributes:
        classification: `BCE(cls_C, y)`.
        target: `L_t`, at most 0: the outside, guessed from the target. Stops spilling over (precision).
        non_target: `L_nt`, at most 0: the target, guessed from the outside. Stops leaving parts behind (recall).
    """

    classification: Tensor
    target: Tensor
    non_target: Tensor

    def total(self, weights: CUWeights, force: float | Tensor = 1.0) -> Tensor:
        """The weighted sum; `force` multiplies the adversarial terms."""
        return self.classification + force * (weights.target * self.target + weights.non_target * self.non_target)


def cu_loss(
    *,
    classification: Tensor,
    image: Tensor,
    from_target: Tensor,
    from_non_target: Tensor,
    segment: Tensor,
    wins: Tensor,
    outside: float = 0.0,
) -> CULoss:
    """CU's three terms; those of the images are means over all elements (ACR, CVPR 2023).

    `L_t = −mean |1[S ≤ outside]·(dec(f·S) − x)|`, `L_nt = −mean |sg(S)·1[argmax A = t]·(dec(f·(1 − S)) − x)|`. The
    gradient reaches the classifier through the segment that was fed, never through the weight of the error.

    Args:
        classification: the classifier's own loss.
        image: `x`, normalised, `[B, 3, H, W]`.
        from_target: `dec(f·S)`, `[B, 3, H, W]`.
        from_non_target: `dec(f·(1 − S))`, `[B, 3, H, W]`.
        segment: `S`, `[B, 1, H, W]` in `[0, 1]`.
        wins: `1[argmax_k A = t]`, `[B, 1, H, W]`.
        outside: where S counts as outside; 0 in the paper.
    """
    beyond = (segment.detach() <= outside).to(image.dtype)
    inside = segment.detach() * wins
    return CULoss(
        classification=classification,
        target=-(beyond * (from_target - image)).abs().mean(),
        non_target=-(inside * (from_non_target - image)).abs().mean(),
    )
