"""Peak memory of making CAMs and labels for 50 photos and for 500: it must not grow.

As a program, `python -m benchmarks.memory STAGE FOLDER COUNT` does one of both and prints its peak.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.probe import measure, peak_with_children
from benchmarks.table import Row

if TYPE_CHECKING:
    from benchmarks.photos import MadeUpPhotos

FEW, MANY, SIDE = 50, 500, 192
STAGES = ("cam", "label")


def benchmark() -> list[Row]:
    """500 photos of this size, kept as floats, would be 220 MB."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (
            {stage: measure("memory", stage, folder, count)["megabytes"] for stage in STAGES} for count in (FEW, MANY)
        )
    growth = max(many[stage] / few[stage] for stage in few)
    return [
        Row(
            f"peak memory of CAMs and labels for {MANY} photos ({SIDE}×{SIDE}) against {FEW}",
            ", ".join(f"{stage} {value:.0f} MB" for stage, value in many.items()),
            ", ".join(f"{stage} {value:.0f} MB" for stage, value in few.items()),
            {"memory.growth": growth},
            "the second column is 50 photos; the larger of the two ratios",
        )
    ]


def main() -> None:
    """CAMs, or labels, of so many photos; of several processes the largest counts."""
    from benchmarks.photos import MadeUpPhotos

    stage, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    dataset = MadeUpPhotos(f"{folder}/photos", count, SIDE, SIDE)
    work = _cams if stage == "cam" else _labels
    print(json.dumps({"megabytes": peak_with_children(lambda: work(dataset, folder))}))


def _cams(dataset: "MadeUpPhotos", folder: Path) -> None:
    from benchmarks.cam import checkpoint, stage

    path = checkpoint(folder / "last.ckpt", "test_resnet", 8)
    stage(dataset, path, folder / f"cams{dataset.count}", scales=(1.0,))


def _labels(dataset: "MadeUpPhotos", folder: Path) -> None:
    from acr_lightning.stages.label import label

    refiner = {"class_path": "DenseCrf", "init_args": {"preset": "soft_cam", "scale": 0.25}}
    label(dataset, str(dataset.root / "cams"), f"{folder}/labels{dataset.count}", refiner=refiner, workers=1)


if __name__ == "__main__":
    main()
