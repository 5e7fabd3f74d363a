"""The pixels in which CAMs differ most, and those that have least of any tag (SEAM, CVPR 2020)."""

from torch import Tensor
from torch.nn import functional as F

# Shares: of the differences that are largest, and of the pixels that are least like any tag.
LARGEST, LEAST = 0.2, 0.25


def largest(difference: Tensor) -> Tensor:
    """The mean of the largest fifth of each photo's differences, all maps `[B, C, H, W]` together."""
    flat = difference.abs().flatten(1)
    return flat.topk(int(LARGEST * flat.shape[1])).values.mean()


def least(cam: Tensor, tags: Tensor) -> Tensor:
    """The mean over the quarter of each photo's pixels that have least of any tag, of `[B, K, H, W]`."""
    flat = (cam * tags[:, :, None, None]).amax(dim=1).flatten(1)
    return F.relu(flat.topk(int(LEAST * flat.shape[1]), largest=False).values).mean()
