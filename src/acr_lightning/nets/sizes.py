"""Sizes of images and maps after scaling, as whole numbers that a network can take."""

from collections.abc import Iterable


def scaled_size(size: Iterable[int], factor: float, multiple: int = 1) -> tuple[int, int]:
    """Two sides times a factor, each rounded to the nearest multiple, at least one of it.

    Args:
        size: two sides, pixels, in any order.
        factor: that both are multiplied by.
        multiple: what the results are multiples of.
    """
    one, other = (max(1, round(side * factor / multiple)) * multiple for side in size)
    return one, other
