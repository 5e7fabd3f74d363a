"""The classifier's update (CU): make a CAM whose two segments cannot be guessed from each other."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from torch import Tensor

MeanOver = Literal["image", "region"]


@dataclass(frozen=True)
class CUWeights:
    """Weights of CU's terms, and how their errors are scored; the defaults are the release's.

    Args:
        target: of `L_t`.
        non_target: of `L_nt`.
        outside: `L_t` is scored where S is at most this; 0 in the paper.
        mean_over: `image` takes the means of errors over the whole image (the paper's); `region` over where they are
            scored, so that a segment counts the same whether it is large or small (weights are 0.6 and 0.2 of those).
    """

    target: float = 0.8
    non_target: float = 0.3
    outside: float = 0.0
    mean_over: MeanOver = "image"


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
    mean_over: MeanOver = "image",
) -> CULoss:
    """CU's three terms; those of the images are means over all elements (ACR, CVPR 2023), or over their regions.

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
        mean_over: the whole image, as in the paper, or of each image the region where its error is scored.
    """
    mean = _MEANS[mean_over]
    beyond = (segment.detach() <= outside).to(image.dtype)
    inside = segment.detach() * wins
    return CULoss(
        classification=classification,
        target=-mean(beyond, (from_target - image).abs()),
        non_target=-mean(inside, (from_non_target - image).abs()),
    )


def _mean_over_image(weight: Tensor, error: Tensor) -> Tensor:
    return (weight * error).mean()


def _mean_over_region(weight: Tensor, error: Tensor) -> Tensor:
    areas = weight.expand_as(error).sum(dim=(1, 2, 3))
    return ((weight * error).sum(dim=(1, 2, 3)) / areas.clamp(min=1)).mean()


_MEANS = {"image": _mean_over_image, "region": _mean_over_region}
