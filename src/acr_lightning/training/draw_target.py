"""One of the tags of each image, by chance."""

from torch import Tensor


def draw_target(tags: Tensor, uniform: Tensor) -> Tensor:
    """One tagged class `t` per image, uniformly at random.

    Args:
        tags: `y`, `[B, K]` of 0 and 1.
        uniform: random numbers in `[0, 1)`, `[B]`, on any device.

    Returns:
        `t`, `[B]`; 0 for an image without tags, so that whatever is made of a target's map must be times the tags.
    """
    rank = (uniform.to(tags.device) * tags.sum(dim=1)).floor() + 1  # the first, second … tag of the image
    return ((tags.cumsum(dim=1) == rank[:, None]) & (tags > 0)).int().argmax(dim=1)
