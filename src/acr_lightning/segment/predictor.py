"""The trained network for any picture: the Python side of `acr predict`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.artefacts.manifest import NAME, network_of
from acr_lightning.data.images import read_image
from acr_lightning.data.samples import to_tensor
from acr_lightning.errors import UserError, shown
from acr_lightning.labels.refiner import RefinerNode, describe, is_own
from acr_lightning.nets.checkpoint import class_names_of
from acr_lightning.segment.network_inference import NetworkInference
from acr_lightning.segment.recorded_test import OWN, recorded_test

# Lightning's mixed precisions: what the network computes in.
MIXED = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}
Picture = str | Path | Image.Image | NDArray[np.uint8]


class Prediction(NamedTuple):
    """What the network says about a picture.

    Attributes:
        labels: `[H, W]`, 0 background, 1..K.
        probabilities: `[K + 1, h, w]` in `[0, 1]`, before the refiner; h and w are the picture's, or those of one with
            a long side of 1024 pixels.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32]


class Predictor:
    """A run's network; call it with a picture to get its label map.

    What is None is as the run's own test had it, so photos get the very masks that were scored.

    Args:
        run: folder of a run whose stage `segment` is done.
        device: where it computes; `auto` is the first GPU if there is one.
        scales: factors of the base size; more are slower and better.
        flip: whether mirror images are added.
        long_side: pictures are resized to this long side first, pixels.
        refiner: see `acr_lightning.labels.refiner.build_refiner`.
        window: pictures larger than this are read in overlapping windows of this side, pixels.

    Attributes:
        settings: with which it works.
        label_names: of the labels 0..K, `background` first.

    Raises:
        UserError: there is no trained network in the folder, or its test cannot be done again (see `settings_of`);
            there is no such device, or a setting is out of bounds.
    """

    def __init__(
        self,
        run: str | Path,
        device: str = "cpu",
        scales: Sequence[float] | None = None,
        flip: bool | None = None,
        long_side: int | None = None,
        refiner: RefinerNode | None = None,
        window: int | None = None,
    ) -> None:
        usable = _device(device)
        checkpoint = network_of(Path(run))
        names = class_names_of(checkpoint, "acr segment")
        self.label_names: tuple[str, ...] = ("background", *names)
        wishes = {"scales": scales, "flip": flip, "long_side": long_side, "refiner": refiner, "window": window}
        self.settings = settings_of(Path(run), wishes)
        self.mixed = MIXED.get(recorded_test(Path(run) / "evaluate").precision)
        self.inference = NetworkInference(str(checkpoint), **self.settings).to(usable).eval()

    def __call__(self, image: Picture) -> NDArray[np.uint8]:
        """The label map of a picture; see `predict`."""
        return self.predict(image).labels

    @torch.inference_mode()
    def predict(self, image: Picture) -> Prediction:
        """Label map and probabilities of one picture.

        Args:
            image: a path, a PIL image, or RGB bytes `[H, W, 3]`.

        Raises:
            UserError: a path that is missing, damaged or no picture, or an array of another form.
        """
        tensor = to_tensor(_pixels(image)).to(self.inference.device)
        with torch.autocast(tensor.device.type, self.mixed, enabled=self.mixed is not None):
            probabilities = self.inference.probabilities(tensor[None])[0]
        return Prediction(self.inference.labels(tensor, probabilities), probabilities.float().cpu().numpy())


def settings_of(run: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """The settings that a run was tested with, and over them those that are asked for.

    Raises:
        UserError: the test was not `NetworkInference`'s, or had settings that this version does not know, or a refiner
            that is not part of this package and no other is asked for.
    """
    class_path, settings, _ = recorded_test(run / "evaluate")
    manifest = run / "evaluate" / NAME
    if class_path != OWN:
        raise UserError(
            f"{manifest}: the network was tested by {shown(class_path)}, which only `acr evaluate` can do again"
        )
    if unknown := sorted(settings.keys() - asked.keys()):
        raise UserError(f"{manifest}: no such setting: {', '.join(unknown)}; run `acr evaluate` with this version")
    settings |= {name: value for name, value in asked.items() if value is not None}
    if asked["refiner"] is None and not is_own(settings["refiner"]):
        refiner = settings["refiner"]
        raise UserError(
            f"{manifest}: the run was tested with the refiner {shown(describe(refiner))}. A run's folder may come from "
            f"anyone, so its class is not imported; if it is yours, add --refiner={json.dumps(refiner)!r}"
        )
    return settings


def _pixels(image: Picture) -> NDArray[np.uint8]:
    if isinstance(image, str | Path):
        return read_image(Path(image))
    pixels = np.array(image.convert("RGB")) if isinstance(image, Image.Image) else image
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UserError(
            f"an array of {pixels.dtype} {[*pixels.shape]}: give RGB bytes, uint8 [H, W, 3]; of [3, H, W] that is "
            "array.transpose(1, 2, 0), of numbers in 0..1 (255 * array).astype('uint8')"
        )
    return pixels


def _device(name: str) -> str:
    """A device that can be used, `auto` as what there is.

    Raises:
        UserError: there is none of this name.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError) as error:  # the second where torch was built without CUDA
        reason = str(error).partition("\n")[0]
        raise UserError(f"device: {shown(name)} cannot be used ({reason}); give cpu, cuda, cuda:1 or auto") from None
    return name
