"""Generated metal parts, good and scratched ones, with masks of the scratches that serve for scoring alone.

    python draw_parts.py parts --count 80

writes `parts/good/`, `parts/scratched/` and, beside them, `masks/scratched/`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def main() -> None:
    """Draw as many good parts as bad ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=80, help="of each kind")
    parser.add_argument("--side", type=int, default=160, help="pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    masks = options.folder.parent / "masks"
    for kind in ("good", "scratched"):
        for folder in (options.folder, masks):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(options.count):
            photo, mask = part(random, options.side), np.zeros((options.side, options.side), np.uint8)
            if kind == "scratched":
                photo, mask = scratched(photo, random)
            cv2.imwrite(str(options.folder / kind / f"{number:03}.png"), photo)
            cv2.imwrite(str(masks / kind / f"{number:03}.png"), mask)


def part(random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """A brushed plate with holes, somewhere on a dark table, `[side, side, 3]`."""
    brushed = cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), sigmaX=9, sigmaY=0.7)
    metal = random.uniform(130, 190) + 60 * brushed + np.linspace(-20, 20, side)[None]
    photo = np.repeat(metal[..., None], 3, axis=2) * random.uniform(0.94, 1.06, 3)
    plate = np.zeros((side, side), np.uint8)
    low, high = random.integers(side // 16, side // 7, 2), random.integers(side * 6 // 7, side * 15 // 16, 2)
    cv2.rectangle(plate, low.tolist(), high.tolist(), 1, -1)
    for _ in range(random.integers(1, 4)):
        cv2.circle(plate, random.integers(side // 5, side * 4 // 5, 2).tolist(), int(random.integers(5, 10)), 0, -1)
    photo = np.where(plate[..., None] == 1, photo, 35)
    return np.clip(photo + random.normal(0, 4, photo.shape), 0, 255).astype(np.uint8)


def scratched(photo: NDArray[np.uint8], random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A part with one or two bent scratches, and their mask: 1 where there is one."""
    side, mask = len(photo), np.zeros(photo.shape[:2], np.uint8)
    for _ in range(random.integers(1, 3)):
        start, angle, points = random.uniform(0.25, 0.75, 2) * side, random.uniform(0, 2 * np.pi), []
        for _ in range(8):
            points.append(start.round().astype(np.int32))
            angle += random.normal(0, 0.2)
            start = np.clip(start + side / 22 * np.array([np.cos(angle), np.sin(angle)]), side * 0.16, side * 0.84)
        cv2.polylines(mask, [np.array(points)], False, 1, int(random.integers(3, 7)))
    depth = random.uniform(45, 90) * random.choice([-1, 1])
    return np.clip(photo + depth * mask[..., None], 0, 255).astype(np.uint8), mask


if __name__ == "__main__":
    main()
