"""The label stage's CRF with one worker process and with two."""

import tempfile
from pathlib import Path

from acr_lightning.stages.label import label
from benchmarks.photos import MadeUpPhotos
from benchmarks.table import Row, seconds

PHOTOS = 40


def benchmark() -> list[Row]:
    """Starting the processes is part of it, as it is in life."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = MadeUpPhotos(f"{folder}/photos", PHOTOS)
        took = {
            workers: seconds(lambda: _labels(dataset, Path(folder) / str(workers), workers))  # noqa: B023
            for workers in (1, 2)
        }
        made = [{path.name: path.read_bytes() for path in (Path(folder) / str(n) / "labels").iterdir()} for n in (1, 2)]
    if made[0] != made[1]:
        raise SystemExit("crf: one and two workers made different labels")
    return [
        Row(
            f"dense CRF of {PHOTOS} photos (375×500, 2 classes), two workers against one",
            f"{took[2]:.1f} s",
            f"{took[1]:.1f} s",
            {"crf.workers2.speedup": took[1] / took[2]},
            "equal labels; starting the processes counted",
        )
    ]


def _labels(dataset: MadeUpPhotos, output: Path, workers: int) -> None:
    label(dataset, str(dataset.root / "cams"), str(output), threshold=0.3, refiner="soft_cam", workers=workers)
