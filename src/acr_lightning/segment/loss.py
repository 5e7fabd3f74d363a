"""Losses of the segmentation network."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.artefacts.palette import IGNORE

LossName = Literal["cross_entropy", "balanced"]


def pixel_groups(label: Tensor, name: LossName) -> list[Tensor]:
    """The groups of pixels whose means the loss averages, `[B, H, W]` of true and false each.

    Args:
        label: `[B, H, W]`, 0 background, 1..K, 255 ignore.
        name: `cross_entropy` has one group, all labelled pixels; `balanced` has background and foreground, so that
            much background does not outweigh small objects.
    """
    if name == "cross_entropy":
        return [label != IGNORE]
    return [label == 0, (label != 0) & (label != IGNORE)]


def segmentation_loss(logits: Tensor, label: Tensor, groups: list[Tensor], counts: Tensor) -> Tensor:
    """Cross entropy, averaged inside each group of pixels and over the groups.

    Args:
        logits: `[B, K + 1, H, W]`.
        label: `[B, H, W]`.
        groups: from `pixel_groups`.
        counts: pixels of each group, `[groups]`; on several devices the mean over them, so that each pixel of the whole
            batch counts the same.
    """
    # Torch's own cross entropy of maps is not deterministic on a GPU, and a choice by a mask makes it wait.
    known = torch.where(label == IGNORE, 0, label)
    losses = -F.log_softmax(logits.float(), dim=1).gather(1, known[:, None])[:, 0]
    sums = torch.stack([torch.where(group, losses, 0).sum() for group in groups])
    return (sums / counts.clamp(min=1)).mean()
