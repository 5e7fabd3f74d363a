"""Multi-scale inference of photos of one size: the CAM for stage 2, the soft scores for the network's test."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.nets.sizes import scaled_size


def scaled_views(
    images: Tensor, scales: Sequence[float], flip: bool, long_side: int | None, multiple: int = 1
) -> Iterator[Tensor]:
    """The views of some images: every scale, with the mirror images in the same batch.

    Args:
        images: `[B, 3, H, W]`.
        scales: factors of the base size.
        flip: whether to add the mirror images.
        long_side: the base size's long side; None is the images' own.
        multiple: the views' sides are multiples of it.

    Yields:
        `[B, 3, h, w]`, or `[2·B, 3, h, w]` whose second half is mirrored.
    """
    height, width = images.shape[-2:]
    base = 1.0 if long_side is None else long_side / max(height, width)
    for scale in scales:
        size = scaled_size((height, width), base * scale, multiple)
        view = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        yield torch.cat([view, view.flip(-1)]) if flip else view


def multiscale_sum(
    net: Callable[[Tensor], Tensor],
    images: Tensor,
    scales: Sequence[float],
    flip: bool,
    long_side: int | None = None,
    after: Callable[[Tensor], Tensor] | None = None,
    size: tuple[int, int] | None = None,
    multiple: int = 1,
) -> Tensor:
    """The sum of a network's maps over scales and mirror images, at one size.

    Args:
        net: `[B, 3, h, w]` to maps `[B, C, h', w']`.
        images: `[B, 3, H, W]`.
        scales: factors of the base size.
        flip: whether to add mirror images.
        long_side: the base size's long side; None is the images' own.
        after: what is done to the maps once they have that size, before they are summed.
        size: height and width of the sum; None is the images' own.
        multiple: the sides of the network's images are multiples of it.

    Returns:
        `[B, C, H, W]`.
    """
    size = size or (images.shape[-2], images.shape[-1])
    total: Tensor | None = None
    for views in scaled_views(images, scales, flip, long_side, multiple):
        maps = turned_maps(net, views, len(images))
        large = F.interpolate(maps, size, mode="bilinear", align_corners=False)
        summand = (large if after is None else after(large)).unflatten(0, (-1, len(images))).sum(dim=0)
        total = summand if total is None else total + summand
    if total is None:
        raise ValueError("at least one scale is needed")
    return total


def turned_maps(net: Callable[[Tensor], Tensor], views: Tensor, photos: int) -> Tensor:
    """A network's maps of one scale's views, those of mirror images turned back.

    Args:
        net: `[B, 3, h, w]` to maps `[B, C, h', w']`.
        views: see `scaled_views`.
        photos: B, without the mirror images.

    Returns:
        `[B, C, h', w']` or `[2·B, C, h', w']`.
    """
    maps = _one_by_one(net, views) if views.device.type == "cpu" else net(views)
    return torch.cat([maps[:photos], maps[photos:].flip(-1)])


def _one_by_one(net: Callable[[Tensor], Tensor], views: Tensor) -> Tensor:
    """What `net(views)` is, in up to half the time on a CPU: large batches leave its caches, channels last fit them."""
    return torch.cat([net(view.contiguous(memory_format=torch.channels_last)) for view in views.split(1)])


def multiscale_cam(
    cam_logits: Callable[[Tensor], Tensor],
    images: Tensor,
    classes: Sequence[Tensor],
    scales: Sequence[float],
    flip: bool,
    long_side: int | None = None,
    multiple: int = 1,
) -> list[Tensor]:
    """The CAMs of some images: upsampled, ReLU, summed, each tagged class stretched to 0..1.

    Args:
        cam_logits: normalised images `[B, 3, h, w]` to `A` `[B, K, h', w']`.
        images: normalised, `[B, 3, H, W]`.
        classes: the tagged classes of each, `[P]`.
        scales: factors of the base size; 0.5, 1, 1.5, 2 in the paper.
        flip: whether to add mirror images.
        long_side: the base size's long side; None is the images' own.
        multiple: see `Classifier`.

    Returns:
        `[P, H, W]` in `[0, 1]` for each image.
    """
    # Only what one of them is tagged with is enlarged: K may be 80.
    all_classes = torch.cat(list(classes)).unique()
    if not len(all_classes):
        return [images.new_zeros(0, *images.shape[-2:]) for _ in images]
    total = multiscale_sum(
        lambda views: cam_logits(views)[:, all_classes], images, scales, flip, long_side, F.relu, multiple=multiple
    )
    cams = [maps[torch.searchsorted(all_classes, present)] for maps, present in zip(total, classes, strict=True)]
    return [_stretched(maps) for maps in cams]


def _stretched(maps: Tensor) -> Tensor:
    """Min–max of each map `[P, H, W]`, as the release has it; a map that is the same everywhere becomes 0."""
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp(min=1e-5)
