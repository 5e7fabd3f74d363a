"""From attention and patch maps to the CAM of a multi-class-token ViT (MCTformer, Xu et al., CVPR 2022, section 3)."""

from typing import Literal

import torch
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


def refined(cam: Tensor, patches: Tensor) -> Tensor:
    """`out_k[i] = Σ_j T[i, j] · cam_k[j]`: a patch gets what the patches that it looks at have.

    Args:
        cam: `[B, K, P]`.
        patches: `T`, `[B, P, P]`, rows are queries; they need not sum to 1.

    Returns:
        `[B, K, P]`.
    """
    return torch.einsum("bij,bkj->bki", patches, cam)
