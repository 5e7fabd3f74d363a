"""A CLIP small enough for a test, and its file of weights."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from acr_lightning.nets.clip import Clip

TOWERS = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "head_width": 8, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


def tiny_clip(folder: Path, name: str = "tiny", **vision: int) -> Clip:
    """Write random weights; it takes images of 32 px. Needs open_clip."""
    import open_clip

    towers = {**TOWERS, "vision_cfg": {**TOWERS["vision_cfg"], **vision}}
    (folder / f"{name}.json").write_text(json.dumps(towers))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    save_file(open_clip.create_model(name).state_dict(), folder / f"{name}.safetensors")
    return tiny_clip_in(folder, name)


def tiny_clip_in(folder: Path, name: str = "tiny") -> Clip:
    """The one that `tiny_clip` has written."""
    return Clip(str(folder / f"{name}.safetensors"), name, {"person": "player"}, ("tree", "water"))
