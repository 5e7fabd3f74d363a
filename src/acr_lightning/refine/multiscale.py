"""Multi-scale inference of one image: the CAM for stage 2, the soft scores for the network's test."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def scaled_views(
    image: Tensor, scales: Sequence[float], flip: bool, long_side: int | None
) -> Iterator[tuple[Tensor, bool]]:
    """The views of one image: every scale, and its mirror image in the same batch.

    Args:
        image: `[3, H, W]`.
        scales: factors of the base size.
        flip: whether to add the mirror image.
        long_side: the base size's long side; None is the image's own.

    Yields:
        `[1 or 2, 3, h, w]`, and whether the second is mirrored.
    """
    height, width = image.shape[-2:]
    base = 1.0 if long_side is None else long_side / max(height, width)
    for scale in scales:
        size = (max(1, round(height * base * scale)), max(1, round(width * base * scale)))
        resized = F.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)
        yield (torch.cat([resized, resized.flip(-1)]) if flip else resized), flip


def multiscale_sum(
    net: Callable[[Tensor], Tensor],
    image: Tensor,
    scales: Sequence[float],
    flip: bool,
    long_side: int | None = None,
    after: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The sum of a network's maps over scales and mirror images, at the image's size.

    Args:
        net: `[B, 3, h, w]` to maps `[B, C, h', w']`.
        image: `[3, H, W]`.
        scales: factors of the base size.
        flip: whether to add mirror images.
        long_side: the base size's long side; None is the image's own.
        after: what is done to the maps once they have the image's size, before they are summed.

    Returns:
        `[C, H, W]`.
    """
    total: Tensor | None = None
    for views, mirrored in scaled_views(image, scales, flip, long_side):
        maps = _one_by_one(net, views) if views.device.type == "cpu" else net(views)
        if mirrored:
            maps = torch.stack([maps[0], maps[1].flip(-1)])
        resized = F.interpolate(maps, image.shape[-2:], mode="bilinear", align_corners=False)
        summed = (resized if after is None else after(resized)).sum(dim=0)
        total = summed if total is None else total + summed
    if total is None:
        raise ValueError("at least one scale is needed")
    return total


def _one_by_one(net: Callable[[Tensor], Tensor], views: Tensor) -> Tensor:
    """What `net(views)` is, in up to half the time on a CPU: large batches leave its caches, channels last fit them."""
    return torch.cat([net(view.contiguous(memory_format=torch.channels_last)) for view in views.split(1)])


def multiscale_cam(
    cam_logits: Callable[[Tensor], Tensor],
    image: Tensor,
    classes: Tensor,
    scales: Sequence[float],
    flip: bool,
    long_side: int | None = None,
) -> Tensor:
    """The CAM of one image: upsampled, ReLU, summed, each tagged class divided by its maximum (FACTS §1).

    Args:
        cam_logits: normalised images `[B, 3, h, w]` to `A` `[B, K, h', w']`.
        image: normalised, `[3, H, W]`.
        classes: the tagged classes, `[P]`.
        scales: factors of the base size; 0.5, 1, 1.5, 2 in the paper.
        flip: whether to add mirror images.
        long_side: the base size's long side; None is the image's own.

    Returns:
        `[P, H, W]` in `[0, 1]`.
    """
    total = multiscale_sum(lambda views: cam_logits(views)[:, classes], image, scales, flip, long_side, F.relu)
    return total / total.amax(dim=(1, 2), keepdim=True).clamp(min=1e-5)
