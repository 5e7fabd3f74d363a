"""From attention and patch maps to the CAM of a multi-class-token ViT (MCTformer, Xu et al., CVPR 2022, section 3)."""

from typing import Literal

from torch import Tensor

Fusion = Literal["product", "root", "patches"]
# The slope of a square root at 0 is infinite; this far below any cell that matters it is bent.
EPSILON = 1e-6


def fused(attention: Tensor, maps: Tensor, fusion: Fusion) -> Tensor:
    """`M ⊙ F`, or `√(M ⊙ F)` as in MCTformer+ (Xu et al., TPAMI 2024), or `F` alone, the plain CAM of the patches.

    Args:
        attention: `M`, what class tokens look at, `[B, K, P]`, not negative.
        maps: `F`, what patches say, not negative, of the same shape.
        fusion: `product`, `root` or `patches`.
    """
    if fusion == "patches":
        return maps
    product = attention * maps
    return product if fusion == "product" else (product + EPSILON).sqrt() - EPSILON**0.5
