"""The decoder's first layer, computed where the encoder's maps are still small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_convolution(weight: Tensor, maps: Sequence[Tensor], keep: Tensor) -> Tensor:
    """`conv(resize(maps)·keep)` for several masks, without resized maps where they would be large.

    A 4×4 convolution (stride 2, padding 1, no bias) is the sum of its 16 taps, each of which is a 1×1 convolution. That
    is the same before the bilinear resize as after it; and since a mask is the same for all channels, it may as well
    follow the tap. At the paper's sizes (448 channels at stride 8, 64 of them left) this takes a tenth of the
    multiplications and a quarter of the memory. A map that the resize does not enlarge much is convolved as it is
    written: its 16 taps would be more work than the masks.

    Args:
        weight: of the convolution, `[O, C, 4, 4]`.
        maps: `[B, C_i, h_i, w_i]`; resized to the masks' size and joined they are the input, so the `C_i` sum to C.
        keep: N masks, `[N, B, 1, H, W]`; H and W are even.

    Returns:
        `[N, B, O, H/2, W/2]`.
    """
    height, width = keep.shape[-2:]
    kernels = weight.split([part.shape[1] for part in maps], dim=1)
    small: list[Tensor] = []
    summands: list[Tensor] = []
    for kernel, part in zip(kernels, maps, strict=True):
        if 2 * part.shape[-2] * part.shape[-1] < height * width:
            small.append(_taps(kernel, part, height, width))
        else:
            summands.append(_as_written(kernel, part, keep))
    if small:
        summands.append(_sum_under_masks(sum(small[1:], start=small[0]), keep))
    return sum(summands[1:], start=summands[0])


def _as_written(kernel: Tensor, part: Tensor, keep: Tensor) -> Tensor:
    """One map resized, masked and convolved: `[N, B, O, H/2, W/2]`."""
    large = F.interpolate(part, keep.shape[-2:], mode="bilinear", align_corners=False)
    inputs = (large * keep).flatten(0, 1)
    return F.conv2d(inputs, kernel, stride=2, padding=1).unflatten(0, keep.shape[:2])


def _sum_under_masks(taps: Tensor, keep: Tensor) -> Tensor:
    """What the taps add to each output pixel, each under what the masks keep of the pixel that it reads."""
    count, batch, _, height, width = keep.shape
    under_tap = F.unfold(keep.flatten(0, 1), 4, padding=1, stride=2).view(count, batch, 4, 4, height // 2, width // 2)
    under_tap = under_tap.transpose(2, 3).unsqueeze(4).to(taps.dtype)  # x first, as in `_taps`
    return torch.stack([(taps * mask).sum(dim=(1, 2)) for mask in under_tap])


def _taps(kernel: Tensor, part: Tensor, height: int, width: int) -> Tensor:
    """What each tap (x, y) adds to each output pixel: `[B, 4, 4, O, H/2, W/2]`."""
    batch, channels, rows, columns = part.shape
    outputs = len(kernel)
    per_tap = F.conv2d(part, kernel.permute(3, 2, 0, 1).reshape(-1, channels, 1, 1))
    across = per_tap.reshape(batch, 4, 4 * outputs * rows, columns) @ _resize_under_taps(part, columns, width).mT
    return _resize_under_taps(part, rows, height)[:, None] @ across.view(batch, 4, 4, outputs, rows, width // 2)


def _resize_under_taps(like: Tensor, before: int, after: int) -> Tensor:
    """The bilinear resize along one side as matrices `[4, after/2, before]`, one for the pixels that each tap reads.

    Output pixel `i` reads pixel `2i + tap − 1`; beyond the border it reads 0.
    """
    unit = torch.eye(before, device=like.device)
    resize = F.interpolate(unit[None], after, mode="linear", align_corners=False)[0].T
    return F.pad(resize, (0, 0, 1, 1)).unfold(0, 4, 2).permute(2, 0, 1).to(like.dtype)
