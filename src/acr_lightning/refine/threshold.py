"""A background threshold without any mask."""

import numpy as np
from numpy.typing import NDArray


def otsu(histogram: NDArray[np.int64]) -> int:
    """Otsu's threshold: the level that splits a histogram with the largest variance between both sides.

    Args:
        histogram: counts by level, `[L]`.

    Returns:
        `t` in `1..L-1`: levels below `t` are one side, `t` and above the other.

    References:
        N. Otsu, A threshold selection method from gray-level histograms, 1979.
    """
    levels = np.arange(len(histogram))
    below = np.cumsum(histogram)[:-1].astype(np.float64)  # counts of levels < t, for t = 1..L-1
    above = histogram.sum() - below
    moment = np.cumsum(histogram * levels)[:-1].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = moment / below - ((histogram * levels).sum() - moment) / above
    between = np.nan_to_num(below * above * gap**2)
    return int(between.argmax()) + 1
