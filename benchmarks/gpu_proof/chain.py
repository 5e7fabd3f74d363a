"""The demonstration's chain: CAMs in half precision against a CPU's, and the same trainings twice."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.cli.main import main
from acr_lightning.data.shapes import Shapes
from acr_lightning.metrics.cam_scores import cam_scores
from acr_lightning.nets.checkpoint import read_checkpoint
from benchmarks.gpu_proof.row import Row, judged, needs_gpu
from benchmarks.gpu_proof.training import digest

# Of one network: the mean over all cells of how far its CAMs' scores, which are in 0..1, are from those of a CPU in 32
# bits. A file has them in steps of 0.004.
SAME_NETWORK = {"32-true": 0.004, "16-mixed": 0.004, "bf16-mixed": 0.02}
# Of networks that were trained in another precision: points of the CAMs' mIoU, at its best threshold, below a CPU's.
SAME_TRAINING = 4.0
# A training that shows that it runs, and no more.
FEW_EPOCHS = {"trainer.max_epochs": 3, "model.classifier_epochs": 1, "model.reconstructor_epochs": 1}


class Demo:
    """`demo.yaml` on a few scenes, in a folder."""

    def __init__(self, folder: str, scenes: int) -> None:
        self.folder, self.size = Path(folder), {"num_train": scenes, "num_val": 2, "size": 128, "seed": 0}
        self.dataset = Shapes(f"{folder}/shapes", **self.size)
        self.ids = self.dataset.ids("train")

    def stage(self, stage: str, run: str, device: str, precision: str, **values: Any) -> Path:
        """Do a stage of a run, which is a name; its folder. A RuntimeError where it fails."""
        options = {
            **{f"dataset.{name}": value for name, value in self.size.items()}, "dataset.root": self.folder / "shapes",
            "run": self.folder / run, "trainer.accelerator": device, "trainer.devices": 1, "trainer.logger": "false",
            "trainer.precision": precision, "trainer.enable_progress_bar": "false",
            **({"data.cache": self.folder / run / "features"} if stage == "fit" else {}), **values,
        }  # fmt: skip
        if status := main([stage, "--config=demo.yaml", *(f"--{name}={value}" for name, value in options.items())]):
            raise RuntimeError(f"acr {stage} --run={run}: exit status {status}")
        return self.folder / run / stage

    def apart(self, *folders: Path) -> float:
        """The mean over all cells of how far two folders' scores are apart, which are in 0..1."""
        scores = [[read_cam(folder / "cams" / f"{name}.npz").scores for name in self.ids] for folder in folders]
        return float(np.mean([np.abs(one - other).mean() for one, other in zip(*scores, strict=True) if one.size]))

    def miou(self, cam: Path) -> float:
        """Of CAMs at their best threshold, in points."""
        return max(float(row["miou"]) for row in cam_scores(cam / "cams", self.dataset, self.ids))


def cams(device: str) -> Iterator[Row]:
    """CAMs of one network, and of one trained in each precision, against those of a CPU in 32 bits."""
    few = FEW_EPOCHS if device == "cpu" else {}
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(folder, 8 if device == "cpu" else 128)
        demo.stage("fit", "cpu", "cpu", "32-true", **few)
        reference = demo.stage("cam", "cpu", "cpu", "32-true")
        wanted = demo.miou(reference)
        for precision, most in SAME_NETWORK.items():
            what, bits = f"CAMs of demo.yaml in {precision}", precision.partition("-")[0]
            if device == "cpu" and bits != "bf16":
                yield needs_gpu(what, "a CPU has none" if bits == "16" else "is what the others are held to")
                continue
            read = demo.stage("cam", f"read-{bits}", device, precision, **{"from.fit": demo.folder / "cpu"})
            apart = demo.apart(reference, read)
            value = f"scores in 0..1 are {apart:.4f} from a CPU's in 32 bits, at most {most}"
            yield judged(f"{what}, one network", apart <= most, value, **{f"cam_apart.{bits}": apart})
            demo.stage("fit", f"trained-{bits}", device, precision, **few)
            miou = demo.miou(demo.stage("cam", f"trained-{bits}", device, precision))
            value = f"mIoU {miou:.1f}; a CPU's in 32 bits {wanted:.1f}, at most {SAME_TRAINING} more"
            yield judged(f"{what}, trained", miou >= wanted - SAME_TRAINING, value, **{f"cam_miou.{bits}": miou})


def twice(device: str) -> Iterator[Row]:
    """Each training of the demonstration, twice, with `deterministic: true`: the same bits."""
    precision, few = ("32-true" if device == "cpu" else "16-mixed"), {"deterministic": "true"}
    options = {"fit": FEW_EPOCHS | few, "segment": {"data.labels": "masks", "trainer.max_epochs": 1} | few}
    with tempfile.TemporaryDirectory() as folder:
        demo = Demo(folder, 8 if device == "cpu" else 64)
        for stage, values in options.items():
            paths = [demo.stage(stage, run, device, precision, **values) / CHECKPOINT for run in ("one", "two")]
            digests = [digest(read_checkpoint(path, f"acr {stage}")["state_dict"]) for path in paths]
            yield judged(f"{stage} twice, deterministic", len({*digests}) == 1, f"weights {' and '.join(digests)}")
