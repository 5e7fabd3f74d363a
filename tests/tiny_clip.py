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


def tiny_clip(folder: Path) -> Clip:
    """Write random weights; it takes images of 32 px. Needs open_clip."""
    import open_clip

    (folder / "tiny.json").write_text(json.dumps(TOWERS))
    open_clip.add_model_config(folder / "tiny.json")
    torch.manual_seed(0)
    save_file(open_clip.create_model("tiny").state_dict(), folder / "tiny.safetensors")
    return tiny_clip_in(folder)


def tiny_clip_in(folder: Path) -> Clip:
    """The one that `tiny_clip` has written."""
    return Clip(str(folder / "tiny.safetensors"), "tiny", {"person": "player"}, ("tree", "water"))
