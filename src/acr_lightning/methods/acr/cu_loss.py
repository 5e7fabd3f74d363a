"""The classifier's update (CU): make a CAM whose two segments cannot be guessed from each other."""

from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F


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

    def total(self, target: float = 0.8, non_target: float = 0.3) -> Tensor:
        """The weighted sum; the defaults are the release's."""
        return self.classification + target * self.target + non_target * self.non_target


def cu_loss(
    class_logits: Tensor,
    tags: Tensor,
    image: Tensor,
    from_target: Tensor,
    from_non_target: Tensor,
    segment: Tensor,
    wins: Tensor,
    outside: float = 0.0,
) -> CULoss:
    """CU's three terms, means over all elements (FACTS §1).

    `L_t = −mean |1[S ≤ outside]·(dec(f·S) − x)|`, `L_nt = −mean |sg(S)·1[argmax A = t]·(dec(f·(1 − S)) − x)|`. The
    gradient reaches the classifier through the segment that was fed, never through the weight of the error.

    Args:
        class_logits: of the classifier, `[B, K]`.
        tags: `y`, `[B, K]`.
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
        classification=F.binary_cross_entropy_with_logits(class_logits, tags),
        target=-(beyond * (from_target - image)).abs().mean(),
        non_target=-(inside * (from_non_target - image)).abs().mean(),
    )
