"""The trained network as one file for other runtimes, compared with torch before it is kept.

The file holds one pass of the network. Its metadata say what a user has to know, in JSON: `labels` (names of 0..K),
`input`, and `not_in_this_file` (scales, mirror images, windows and refiner of the run's score).
"""

import json
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from timm.layers.patch_embed import PatchEmbed
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.artefacts.manifest import network_of
from acr_lightning.artefacts.own_files import write_own
from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import class_names_of
from acr_lightning.nets.deeplab import DeepLab
from acr_lightning.segment.network_inference import load_network
from acr_lightning.segment.recorded_test import recorded_test

TOLERANCE = 1e-4
# Of a CNN of this field.
LARGEST_STRIDE = 32


class Exported(NamedTuple):
    """What is known of a file.

    Attributes:
        difference: the largest one of a probability from torch's, on random images, one and two in a batch.
        labels: names of 0..K.
        normalisation: `mean` and `std` of the three channels, which the file applies itself.
        step: what heights and widths are multiples of; None where the file takes one size.
    """

    difference: float
    labels: list[str]
    normalisation: dict[str, list[float]]
    step: int | None


class Deployed(nn.Module):
    """The network with everything around it: RGB in `[0, 1]` in, probabilities at the same size out."""

    def __init__(self, network: DeepLab) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[0, 1]` (not normalised: the file does that) to `[B, K + 1, H, W]` in `[0, 1]`."""
        logits = self.network(self.network.backbone.normalise(image))
        return F.interpolate(logits, image.shape[-2:], mode="bilinear", align_corners=False).softmax(dim=1)


def export(run: Path, output: Path, size: tuple[int, int], dynamic: bool = False) -> Exported:
    """Write the network of a run as ONNX.

    Args:
        run: folder of a run whose stage `segment` is done.
        output: the file.
        size: height and width that it takes; any batch.
        dynamic: it takes any multiples of `step_of` the network, of which `size` is one.

    Raises:
        UserError: there is no network, a library is missing, the size does not fit, or the file's results differ from
            torch's.
    """
    checkpoint = network_of(run)
    model = Deployed(load_network(checkpoint)).eval()
    step = step_of(model.network) if dynamic else None
    if step is not None and (size[0] % step or size[1] % step):
        raise UserError(f"export: {size[0]}×{size[1]}: with --dynamic height and width are multiples of {step}")
    labels = ["background", *class_names_of(checkpoint, "acr segment")]
    metadata = {
        "labels": json.dumps(labels),
        "input": json.dumps("RGB in 0..1, not normalised, [B, 3, height, width]"),
        "size": json.dumps({"multiples of": step} if step else [*size]),
        "not_in_this_file": json.dumps(recorded_test(run / "evaluate").settings),
    }
    random = torch.Generator().manual_seed(0)
    example = torch.rand(2, 3, *size, generator=random)
    examples = [example, example[:1]]
    if step is not None:
        examples.append(torch.rand(1, 3, size[0] + step, size[1] + 2 * step, generator=random))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        _to_onnx(model, example, path, metadata, step)
        run_file = _onnx_runner(path)
        with torch.inference_mode():
            differences = [float((run_file(images) - model(images)).abs().max()) for images in examples]
        if max(differences) > TOLERANCE:
            raise UserError(f"export: the file differs from torch by {max(differences):.2g}; nothing was written")
        write_own(output, path.read_bytes())
    backbone = model.network.backbone
    return Exported(
        max(differences),
        labels,
        {name: backbone.get_buffer(name).flatten().tolist() for name in ("mean", "std")},
        step,
    )


def step_of(network: DeepLab) -> int:
    """What sides of any size have to be multiples of: a ViT's patch, a CNN's largest stride."""
    return network.backbone.multiple if network.backbone.multiple > 1 else LARGEST_STRIDE


def _to_onnx(model: nn.Module, example: Tensor, path: Path, metadata: dict[str, str], step: int | None) -> None:
    _onnx()
    # Bounded, since torch 2.7 refuses to trace a ViT for batches that could be as large as the largest integer.
    shape = {0: torch.export.Dim("batch", max=1 << 16)}
    if step is not None:
        shape |= {2: step * torch.export.Dim("rows", min=1), 3: step * torch.export.Dim("columns", min=1)}
        for module in model.modules():
            if isinstance(module, PatchEmbed):
                module.img_size = None  # its check puts the sides into a message, and torch 2.7 and 2.8 fix them there
    program = torch.onnx.export(
        model, (example,), dynamo=True, input_names=["image"], output_names=["probabilities"],
        dynamic_shapes={"image": shape}, verbose=False,
    )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(str(path), external_data=False)


def _onnx_runner(path: Path) -> Any:
    session = _onnx().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(np.asarray(session.run(None, {"image": images.numpy()})[0]))


def _onnx() -> Any:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter needs it
    except ImportError as error:
        raise UserError(f"export: ONNX needs {error.name}; pip install '.[export]'") from None
    return onnxruntime
