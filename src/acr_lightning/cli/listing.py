"""`acr list`: what there is to choose from."""

import importlib
import re
from collections.abc import Callable

from acr_lightning.chain.experiment_file import shipped_configs
from acr_lightning.classes.class_names import SHORT
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

KINDS: dict[str, Callable[[], list[str]]] = {
    "configs": lambda: [f"{name:30} {_title(path.read_text())}" for name, path in shipped_configs().items()],
    "methods": lambda: [name for name, path in SHORT.items() if ".methods." in path],
    "classes": lambda: [*SHORT],
    "presets": lambda: [f"--{word}={preset}" for word, presets in CHAIN.presets.items() for preset in presets],
    "backbones": lambda: ["resnet38d", *importlib.import_module("timm").list_models()],
}


def listing(what: str, /) -> int:
    """Print names, one a line. WHAT is configs, methods, classes (short names for class_path), presets or backbones."""
    if what not in KINDS:
        raise UserError(f"no list of '{what}'.{nearest(what, KINDS)} Known: {', '.join(KINDS)}")
    print("\n".join(KINDS[what]()))
    return 0


def _title(text: str) -> str:
    """What an experiment file's first comment says before its first stop."""
    comment = " ".join(line.strip("# ") for line in text.splitlines()[:3])
    return re.split(r"[.;]\s", comment)[0]
