"""`make bench-scale`: what a photo costs in stages that go through all of them, of 2,000 photos and of many."""

import argparse
import json
import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.data.tag_folder import TagFolder
from acr_lightning.data_care.check_dataset import check_dataset
from acr_lightning.stages.label import label
from benchmarks.table import Row, markdown, written

FEW, SIZE, LINKS = 2000, (40, 48), 10_000


def main() -> None:
    """Measure, print a table, and end with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=20_000, help="the many, compared with 2,000")
    few, many = (_costs(count) for count in (FEW, parser.parse_args().photos))
    count = parser.parse_args().photos
    rows = [
        Row(
            f"CPU ms a photo, {what}",
            f"{many[what]:.2f} of {count:,} photos",
            f"{few[what]:.2f} of {FEW:,} photos",
            {f"scale.{what.replace(' ', '_')}": many[what] / few[what]},
            "all processes; 48×40 pixels, no refiner",
        )
        for what in few
    ]
    print(markdown(rows))
    for row in rows:
        for name, value in row.figures.items():
            print(f"figure {name} {written(value)}")


def _costs(count: int) -> dict[str, float]:
    """CPU milliseconds a photo, without what a stage costs that has next to none."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        little, all_of_them = (dict(_stages(root / name, number)) for name, number in (("few", 60), ("many", count)))
        return {what: 1000 * (_cpu(all_of_them[what]) - _cpu(little[what])) / (count - 60) for what in little}


def _stages(root: Path, count: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Stages over so many links to a few photos and CAMs, which lie in subfolders."""
    rng = np.random.default_rng(0)
    names = [f"{number // 1000}/{number}" for number in range(count)]
    for first in range(0, count, LINKS):  # a file cannot have more links than this everywhere
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), np.uint8)).save(root.with_suffix(".jpg"))
        scores = rng.random((1, *SIZE), np.float32)
        write_cam(root.with_suffix(".npz"), np.array([0]), scores)
        for name in names[first : first + LINKS]:
            for kind, suffix in (("photos", ".jpg"), ("cams", ".npz")):
                path = root / kind / f"{name}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(root.with_suffix(suffix), path)
        for suffix in (".jpg", ".npz"):
            root.with_suffix(suffix).unlink()
    tags = root / "photos" / "tags.json"
    tags.write_text(json.dumps({f"{name}.jpg": ["cat"] for name in names}))
    dataset = TagFolder(str(root / "photos"), "tags.json")
    yield "label", lambda: label(dataset, str(root / "cams"), str(root / "label"), 0.5, refiner="none")
    yield "data check", lambda: check_dataset(dataset)


def _cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of this process and of those that it waited for."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
