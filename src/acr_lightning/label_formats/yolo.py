"""YOLO's segmentation labels: a text for each photo, a polygon for each part; holes hang on it by bridges."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from acr_lightning.label_formats.label_map import LabelMap, components
from acr_lightning.label_formats.ultralytics import copy_photo, write_data_yaml

# Corners of a hole from which a bridge may start.
MOST_CORNERS = 64


def write_yolo(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `images/`, `labels/` and `data.yaml`; class numbers are the labels less one, and 255 is left out."""
    for one in maps:
        copy_photo(one, folder)
        size = np.array(one.labels.shape[::-1])
        lines = [
            f"{label - 1} {' '.join(f'{value:.6f}' for value in ((polygon(part) + 0.5) / size).ravel())}\n"
            for label, _, region in one.regions(class_names)
            for part in components(region)
        ]
        path = folder / "labels" / one.split / f"{one.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    write_data_yaml(folder, class_names)


def polygon(part: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Corners of a part `[H, W]`, column and row, `[N, 2]` with N of three at least: its outline, then each hole's.

    A bridge goes to a hole and back, at the two corners that are nearest; filled, it may be a pixel wide.
    """
    contours, hierarchy = cv2.findContours(part.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outlines = [contour[:, 0] for contour in contours]
    corners = outlines[int(np.flatnonzero(hierarchy[0, :, 3] < 0)[0])]
    for at in np.flatnonzero(hierarchy[0, :, 3] >= 0):
        hole = outlines[int(at)]
        step = 1 + len(hole) // MOST_CORNERS
        distances = np.abs(corners[:, None] - hole[None, ::step]).sum(axis=2)
        outer, inner = np.unravel_index(distances.argmin(), distances.shape)
        way = np.roll(hole, -int(inner) * step, axis=0)
        corners = np.concatenate([corners[: outer + 1], way, way[:1], corners[outer:]])
    return np.concatenate([corners, corners[-1:].repeat(max(0, 3 - len(corners)), axis=0)]).astype(np.int32)
