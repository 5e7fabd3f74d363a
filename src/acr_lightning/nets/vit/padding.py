"""Images of any size for a network of whole patches, without shifting its maps."""

from torch import Tensor
from torch.nn import functional as F


def padded(image: Tensor, multiple: int) -> Tensor:
    """Images `[B, C, H, W]` whose lower and right edges are repeated until both sides are multiples."""
    right, below = -image.shape[-1] % multiple, -image.shape[-2] % multiple
    return F.pad(image, (0, right, 0, below), mode="replicate") if right or below else image


def cropped(maps: Tensor, size: tuple[int, int], multiple: int) -> Tensor:
    """Maps of padded images as maps of the images.

    Where an edge of the image lies inside a cell, the maps are enlarged to pixels and cut there: stretching the whole
    grid over the image would shift it by up to a cell.

    Args:
        maps: `[B, C, h, w]`, one cell a patch.
        size: height and width of the images.
        multiple: side of a patch.

    Returns:
        The maps themselves if nothing was padded, else `[B, C, H, W]`.
    """
    height, width = size
    if not height % multiple and not width % multiple:
        return maps
    whole = (maps.shape[-2] * multiple, maps.shape[-1] * multiple)
    return F.interpolate(maps, whole, mode="bilinear", align_corners=False)[..., :height, :width]
