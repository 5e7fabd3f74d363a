"""CAM inference of whole photos, against a plain loop over photos, scales and mirror images."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.data.datamodule import TaggedPhotos
from acr_lightning.data.samples import to_tensor
from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.classifier import CamClassifier, Classifier
from acr_lightning.training.result_writer import ResultWriter
from benchmarks.photos import MadeUpPhotos
from benchmarks.table import Row, seconds

PHOTOS, SCALES, CLASSES = 8, (0.5, 1.0, 1.5, 2.0), 20


def checkpoint(path: Path, backbone: str, output_stride: int | None) -> Path:
    """A classifier with random weights, as stage `fit` would leave it."""
    torch.manual_seed(0)
    classifier = CamClassifier(CLASSES, backbone, output_stride=output_stride)
    saved = {"state_dict": {f"classifier.{name}": value for name, value in classifier.state_dict().items()}}
    describe_in(saved, classifier, "classifier")
    torch.save(saved, path)
    return path


def stage(dataset: MadeUpPhotos, path: Path, output: Path, scales: tuple[float, ...] = SCALES) -> None:
    """What stage `cam` does."""
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[ResultWriter(output, ".npz", write_cam)],
    )  # fmt: skip
    data = TaggedPhotos(dataset, ["train"], num_workers=0)
    trainer.predict(CamInference(str(path), scales), data, return_predictions=False)


@torch.no_grad()
def plain_loop(dataset: MadeUpPhotos, classifier: Classifier, output: Path) -> None:
    """One forward pass for each scale and each mirror image of each photo, summed, normalised, saved."""
    output.mkdir(parents=True, exist_ok=True)
    for image_id in dataset.ids("train"):
        image = classifier.normalise(to_tensor(dataset.image(image_id))[None])
        size, total = image.shape[-2:], torch.zeros(())
        for scale in SCALES:
            resized = F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)
            for mirrored in (False, True):
                cam = classifier(resized.flip(-1) if mirrored else resized).cam_logits
                cam = F.interpolate(cam, size, mode="bilinear", align_corners=False).relu()
                total = total + (cam.flip(-1) if mirrored else cam)
        present = total[0, dataset.tags(image_id)]
        low, high = present.amin((1, 2), keepdim=True), present.amax((1, 2), keepdim=True)
        np.save(output / f"{image_id}.npy", ((present - low) / (high - low)).numpy())


def benchmark() -> list[Row]:
    """Seconds a photo: the time of starting a Trainer, measured on one photo, is taken off."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = checkpoint(folder / "last.ckpt", "tf_efficientnet_lite0", 16)
        classifier = CamInference(str(path)).classifier
        one, many = (MadeUpPhotos(f"{folder}/photos{count}", count) for count in (1, 1 + PHOTOS))
        plain_loop(one, classifier, folder / "warm")
        took = []
        for dataset in (one, many):
            took.append(seconds(lambda: stage(dataset, path, folder / "ours"), repeats=2))  # noqa: B023
            took.append(seconds(lambda: plain_loop(dataset, classifier, folder / "plain"), repeats=2))  # noqa: B023
    ours, other = (took[2] - took[0]) / PHOTOS, (took[3] - took[1]) / PHOTOS
    return [
        Row(
            "CAM of a photo (375×500, EfficientNet-Lite0, 4 scales and mirror images) on the CPU",
            f"{ours:.2f} s",
            f"{other:.2f} s",
            {"cam.speedup": other / ours},
            "with writing the file: whole, compressed and atomic here, a bare array there",
        )
    ]
