"""What CLIP's judgement of shown and hidden objects costs (CLIMS, CVPR 2022, section 3)."""

from dataclasses import dataclass

import torch
from torch import Tensor

LEAST = 1e-4


@dataclass(frozen=True)
class Matching:
    """Weights of the terms; the defaults are the release's for PASCAL VOC.

    Args:
        shown: α, of what is shown and must be the class.
        hidden: β, of what is hidden and must not be the class.
        beside: γ, of background words that what is shown looks like, a sum over words and tags, the mean over photos;
            16 is the release's 1 for the sum over its batch.
        area: δ, of the CAM's mean over classes and cells.
        alike: cosine from which something looks like a background word.
    """

    shown: float = 10.0
    hidden: float = 24.0
    beside: float = 16.0
    area: float = 0.2
    alike: float = 0.26


def like(cosine: Tensor) -> Tensor:
    """What an image costs that must look like its text: `−log`."""
    return -cosine.clamp(LEAST, 1 - LEAST).log()


def unlike(cosine: Tensor) -> Tensor:
    """What an image costs that must not look like its text: `−log(1 − …)`."""
    return -(1 - cosine.clamp(LEAST, 1 - LEAST)).log()


def like_any(cosine: Tensor, alike: float) -> Tensor:
    """What images cost that look like words `[P, words]`, by the words that they look like: `[P]`."""
    return torch.where(cosine > alike, unlike(cosine), 0.0).sum(dim=1)


def over_photos(costs: Tensor, tags: Tensor, photo: Tensor) -> Tensor:
    """The mean over photos of the mean over each photo's tags; 0 for a photo without any.

    Args:
        costs: of each tag, `[P]`.
        tags: `[B, K]`, of which P are 1.
        photo: whose tag each is, `[P]`.
    """
    return (costs / tags.sum(dim=1)[photo]).sum() / len(tags)
