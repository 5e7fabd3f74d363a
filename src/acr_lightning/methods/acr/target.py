"""From CAM logits to the target segment S, of one class drawn per image."""

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam


def draw_target(tags: Tensor, uniform: Tensor) -> Tensor:
    """One tagged class `t` per image, uniformly at random.

    Args:
        tags: `y`, `[B, K]` of 0 and 1; every image must have a tag.
        uniform: random numbers in `[0, 1)`, `[B]`.

    Returns:
        `t`, `[B]`.
    """
    wanted = (uniform * tags.sum(dim=1)).floor() + 1  # the first, second … tag of the image
    return ((tags.cumsum(dim=1) == wanted[:, None]) & (tags > 0)).int().argmax(dim=1)


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
    chosen = _select(normalise_cam(cam_logits, tags), target)
    return F.interpolate(chosen, size, mode="bilinear", align_corners=False)


def target_wins(cam_logits: Tensor, target: Tensor, size: tuple[int, int]) -> Tensor:
    """`1[argmax_k A = t]` at the working size: `[B, 1, H, W]` of 0 and 1, without gradient."""
    resized = F.interpolate(cam_logits.detach(), size, mode="bilinear", align_corners=False)
    return (resized.argmax(dim=1) == target[:, None, None]).unsqueeze(1).float()


def _select(maps: Tensor, target: Tensor) -> Tensor:
    """Each image's own class: `[B, K, h, w]` and `[B]` to `[B, 1, h, w]`."""
    return maps[torch.arange(len(maps), device=maps.device), target].unsqueeze(1)
