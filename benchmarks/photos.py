"""Made-up photos as a data set on disk, for the benchmarks that run whole stages."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.data.tagged import Split, TaggedDataset
from benchmarks.scenes import scene


class MadeUpPhotos(TaggedDataset):
    """Photos `0.png`, `1.png` … of one size, two classes each.

    Args:
        root: where they are written if they are not there.
        count: how many.
        height: pixels.
        width: pixels.
    """

    class_names = tuple(f"class{number}" for number in range(20))

    def __init__(self, root: str, count: int, height: int = 375, width: int = 500) -> None:
        self.root, self.count = Path(root), count
        (self.root / "cams").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            if not (self.root / "cams" / f"{number}.npz").exists():
                made = scene(number, height, width)
                Image.fromarray(made.image).save(self.root / f"{number}.png")
                write_cam(self.root / "cams" / f"{number}.npz", made.classes, made.scores)

    def ids(self, split: Split) -> list[str]:
        return [] if split == "val" else [str(number) for number in range(self.count)]

    def image_path(self, image_id: str) -> Path:
        return self.root / f"{image_id}.png"

    def tags(self, image_id: str) -> NDArray[np.int64]:
        return np.array([int(image_id) % 10, 10 + int(image_id) % 10], np.int64)
