"""Background thresholds without any mask."""

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


def otsu_of_three(histogram: NDArray[np.int64]) -> tuple[int, int]:
    """Otsu's two thresholds: the levels that split a histogram into three parts with the largest variance between them.

    Args:
        histogram: counts by level, `[L]`, L at least 3.

    Returns:
        `s < t` in `1..L-1`: levels below `s`, from `s` to below `t`, and from `t` on are the parts.
    """
    counts = np.concatenate([[0], np.cumsum(histogram)]).astype(np.float64)
    moments = np.concatenate([[0], np.cumsum(histogram * np.arange(len(histogram)))]).astype(np.float64)

    def part(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
        count = counts[end] - counts[first]
        return np.divide((moments[end] - moments[first]) ** 2, count, out=np.zeros(count.shape), where=count > 0)

    s, t = np.triu_indices(len(histogram) - 1, 1)  # all pairs, counted from 0
    s, t, zero, end = s + 1, t + 1, np.zeros_like(s), np.full_like(s, len(histogram))
    best = int((part(zero, s) + part(s, t) + part(t, end)).argmax())
    return int(s[best]), int(t[best])
