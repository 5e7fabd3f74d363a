"""From CAM logits to the target segment S, of one class per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam


def target_segment(cam_logits: Tensor, tags: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
    """The soft target segment `S = norm(A)_t` at the working size.

    Args:
        cam_logits: `A`, `[B, K, h, w]`.
        tags: `y`, `[B, K]`.
        target: `t`, `[B]`.
        size: height and width of the result.

    Returns:
        `[B, 1, H, W]` in `[0, 1)`.
    """
    cam = _select(normalise_cam(cam_logits, tags), target)
    return F.interpolate(cam, size, mode="bilinear", align_corners=False)


def target_wins(cam_logits: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
    """`1[argmax_k A = t]` at the working size: `[B, 1, H, W]` of 0 and 1, without gradient."""
    large = F.interpolate(cam_logits.detach(), size, mode="bilinear", align_corners=False)
    return (large.argmax(dim=1) == target[:, None, None]).unsqueeze(1).float()


def _select(maps: Tensor, target: Tensor) -> Tensor:
    """Each image's own class: `[B, K, h, w]` and `[B]` to `[B, 1, h, w]`."""
    return maps[torch.arange(len(maps), device=maps.device), target].unsqueeze(1)
