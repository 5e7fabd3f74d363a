"""What a vote of superpixels does to pseudo-labels that are there: on the CAMs' own labels, and after their refiner.

python -m benchmarks.vote RUN [RUN …] --config FILE
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.chain.experiment_file import load
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.labels.segment_vote import mean_label, voted
from acr_lightning.metrics.confusion import scores
from acr_lightning.proposals.superpixels import Superpixels
from acr_lightning.stages.chain import CHAIN


def measure(runs: list[Path], config: str, values: dict[str, str], every: int) -> None:
    """Print mIoU, precision and recall on the split `seed` for each run, and the seconds that a photo takes.

    Args:
        runs: with the stage `label` done, by a threshold; from the CAMs, or from the walk, as it says.
        config: an experiment file with their data set.
        values: what is set otherwise in it.
        every: 4 takes each fourth photo.
    """
    dataset = load(CHAIN, config, values).dataset()
    names, ids = ["background", *dataset.class_names], dataset.ids("seed")[::every]
    thresholds = {run: json.loads((run / "label" / "threshold.json").read_text())["threshold"] for run in runs}
    made = {run: Path(json.loads((run / "label" / "manifest.json").read_text())["config"]["cams"]) for run in runs}
    cams = {run: run / folder.parent.name / folder.name for run, folder in made.items()}
    counts: dict[tuple[Path, str], NDArray[np.int64]] = {}
    size = len(names)
    seconds = dict.fromkeys(("superpixels", "sepl", "fma"), 0.0)
    for image_id in track(ids, "photos"):
        image, mask = dataset.image(image_id), dataset.mask(image_id)
        assert mask is not None
        known = mask != IGNORE
        since = time.process_time()
        regions = Superpixels().masks(image)
        seconds["superpixels"] += time.process_time() - since
        for run in runs:
            cam = read_cam(cams[run] / f"{image_id}.npz")
            own = pseudo_label(image, cam.classes, cam.scores, thresholds[run])
            refined = read_mask(run / "label" / "labels" / f"{image_id}.png")
            labels = {"CAM": own, "refiner": refined}
            since = time.process_time()
            labels |= {"CAM, sepl": voted(own, regions), "refiner, sepl": voted(refined, regions)}
            middle = time.process_time()
            labels["CAM, fma"] = mean_label(cam.classes, cam.scores, regions)
            seconds["sepl"] += (middle - since) / 2 / len(runs)
            seconds["fma"] += (time.process_time() - middle) / len(runs)
            for way, label in labels.items():
                pairs = np.bincount(size * mask[known].astype(np.int64) + label[known], minlength=size**2)
                counts[run, way] = counts.get((run, way), 0) + pairs.reshape(size, size)
    for (run, way), matrix in counts.items():
        one = scores(matrix, names)
        print(f"{run.name} {way}: mIoU {one['miou']:.1f}, precision {one['precision']:.1f}, recall {one['recall']:.1f}")
    print(", ".join(f"{name} {total / len(ids):.3f} s" for name, total in seconds.items()), "a photo, of one core")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--root", help="of the data set")
    parser.add_argument("--every", type=int, default=1, help="4 takes each fourth photo")
    arguments = parser.parse_args()
    root = {"dataset.root": arguments.root} if arguments.root else {}
    measure(arguments.runs, arguments.config, root, arguments.every)
