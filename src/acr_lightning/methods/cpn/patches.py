"""Which patches of a photo are shown, and which are left to its complement (CPN, ICCV 2021)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.training.step_seed import photo_generators


def shown_patches(drawn: Tensor, size: tuple[int, int], sides: Sequence[int]) -> Tensor:
    """A grid of squares for each photo, of which each is shown or hidden as by the toss of a coin.

    Args:
        drawn: a random number in `[0, 1)` for each photo, from which all tosses follow, `[B]`.
        size: height and width of the photos.
        sides: of the squares; each photo has one of them.

    Returns:
        1 where it is shown, 0 where it is hidden, `[B, 1, H, W]`.
    """
    masks = []
    for generator in photo_generators(drawn):
        side = sides[int(torch.randint(len(sides), (), generator=generator))]
        rows, columns = (-(-length // side) for length in size)
        tosses = torch.randint(2, (1, 1, rows, columns), generator=generator).float()
        masks.append(F.interpolate(tosses, scale_factor=side, mode="nearest")[:, :, : size[0], : size[1]])
    return torch.cat(masks)
