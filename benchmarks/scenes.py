"""Made-up photos and scores with the statistics that matter here: smooth areas, edges, noise."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Scene(NamedTuple):
    """A photo `[H, W, 3]`, its tagged classes `[P]`, their scores `[P, H, W]` in `[0, 1]` and the true labels."""

    image: NDArray[np.uint8]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]
    mask: NDArray[np.uint8]


def scene(seed: int, height: int = 375, width: int = 500, classes: int = 2, of: int = 20) -> Scene:
    """A scene of a few bodies of one colour each, on a changing ground."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(of, classes, replace=False))
    image = _smooth(rng, height, width, 3, cells=6) * 150 + 40
    mask = np.zeros((height, width), np.uint8)
    scores = np.zeros((classes, height, width), np.float32)
    for number, label in enumerate(chosen):
        centre = rng.uniform(0.25, 0.75, 2) * (width, height)
        axes = rng.uniform(0.12, 0.25, 2) * min(height, width)
        body = np.zeros((height, width), np.uint8)
        whole = (tuple(int(x) for x in centre), tuple(int(x) for x in axes), float(rng.uniform(0, 180)), 0, 360)
        cv2.ellipse(body, *whole, color=1, thickness=-1)
        image[body > 0] = rng.uniform(30, 220, 3) + 20 * _smooth(rng, height, width, 3, cells=9)[body > 0]
        mask[body > 0] = label + 1
        part = cv2.GaussianBlur(body.astype(np.float32), (0, 0), 0.15 * min(height, width))
        scores[number] = part / max(float(part.max()), 1e-5)
    noisy = image + rng.normal(0, 6, image.shape)
    return Scene(noisy.clip(0, 255).astype(np.uint8), chosen.astype(np.int64), scores, mask)


def _smooth(rng: np.random.Generator, height: int, width: int, channels: int, cells: int) -> NDArray[np.float32]:
    coarse = rng.random((cells, cells, channels), np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
