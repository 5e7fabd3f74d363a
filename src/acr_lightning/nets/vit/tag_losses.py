"""What MCTformer+ adds to the loss of tags (Xu et al., TPAMI 2024)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

# Of the weights of patches in the order of their logits.
DECAY = 0.996


def rank_pooled(maps: Tensor, decay: float = DECAY) -> Tensor:
    """`Σ_r decay^r · (r-th largest) / Σ_r decay^r` of each map: between the maximum and the mean.

    Args:
        maps: `[B, K, h, w]`.
        decay: 1 is the mean.

    Returns:
        `[B, K]`.
    """
    values = maps.flatten(2).sort(dim=-1, descending=True).values
    weights = decay ** torch.arange(values.shape[-1], device=maps.device).float()
    return (values * weights).sum(dim=-1) / weights.sum()


def token_similarities(tokens: Sequence[Tensor]) -> Tensor:
    """Cosines of all pairs of class tokens `[B, K, C]` of each block, `[B, blocks, K, K]`."""
    unit = F.normalize(torch.stack(list(tokens), dim=1).float(), dim=-1)
    with torch.autocast(unit.device.type, enabled=False):  # or the product would be in half precision
        return unit @ unit.transpose(-2, -1)


def class_contrast(similarities: Tensor, tags: Tensor) -> Tensor:
    """`CE(s[:, i], i)` of each tagged class i: its token is to be like itself and like no other.

    The mean over blocks and over an image's tags, then over images, so that a batch in parts has the same loss.

    Args:
        similarities: `s`, `[B, blocks, K, K]`.
        tags: `[B, K]` of 0 and 1.
    """
    log_shares = similarities.log_softmax(dim=-2).diagonal(dim1=-2, dim2=-1).mean(dim=1)
    return -((log_shares * tags).sum(dim=1) / tags.sum(dim=1).clamp(min=1)).mean()
