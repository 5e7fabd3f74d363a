"""`acr list`: what there is to choose from."""

import importlib
import re
from collections.abc import Callable, Iterator

from acr_lightning.chain.experiment_file import shipped_configs
from acr_lightning.classes.class_names import SHORT
from acr_lightning.data.id_list import shipped
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

KINDS: dict[str, Callable[[], list[str]]] = {
    "configs": lambda: [*_configs()],
    "methods": lambda: [*_configs("voc.yaml"), *_configs("methods/")],
    "classes": lambda: [*SHORT],
    "presets": lambda: [f"--{word}={preset}" for word, presets in CHAIN.presets.items() for preset in presets],
    "backbones": lambda: [shipped("presets/backbones.txt").read_text().rstrip()],
    "timm": lambda: importlib.import_module("timm").list_models(),
}


def listing(what: str, /) -> int:
    """Print names, one a line.

    WHAT is configs, methods, classes (short names for class_path), presets, backbones (which for which GPU) or timm.
    """
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
