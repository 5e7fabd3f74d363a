"""What is written in every format: the label map of a photo."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class LabelMap(NamedTuple):
    """A label map and its photo.

    Attributes:
        name: the photo's path in its data set, without suffix.
        photo: its file.
        labels: `[H, W]`, 0 background, 1..K, 255 unknown.
        scores: by label, how sure it is at each pixel, `[H, W]` in `[0, 1]`; empty where nothing says it.
        split: `train`, or `val` for photos that the network did not learn from.
    """

    name: str
    photo: Path
    labels: NDArray[np.uint8]
    scores: dict[int, NDArray[np.float32]]
    split: str

    @property
    def file_name(self) -> str:
        """The photo's path in its data set."""
        return f"{self.name}{self.photo.suffix}"

    def regions(self, class_names: Sequence[str]) -> "Iterator[tuple[int, str, NDArray[np.bool_]]]":
        """The labels 1..K that occur, each with its name and where it is, `[H, W]`."""
        for label, name in enumerate(class_names, start=1):
            if (region := self.labels == label).any():
                yield label, name, region

    def score(self, label: int, region: NDArray[np.bool_]) -> dict[str, float]:
        """The mean score of a label in a region as a field `score`, where there is one."""
        return {"score": round(float(self.scores[label][region].mean()), 4)} if label in self.scores else {}


# Writes label maps of these classes into an empty folder.
Writer = Callable[[Iterable[LabelMap], Sequence[str], Path], None]


def components(region: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The parts of a region that hang together, corners included, each `[H, W]`."""
    count, numbers = cv2.connectedComponents(region.astype(np.uint8), connectivity=8)
    yield from (numbers == number for number in range(1, count))
