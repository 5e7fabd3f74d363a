"""`acr list`: what there is to choose from."""

import re

from acr_lightning.chain.experiment_file import shipped_configs
from acr_lightning.classes.class_names import SHORT
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

KINDS = ("configs", "methods", "classes", "presets", "backbones")


def listing(what: str, /) -> int:
    """Print names, one a line. WHAT is configs, methods, classes (short names for class_path), presets or backbones.

    Beside the name of a configuration stands what it is.

    Args:
        what: of which kind.

    Raises:
        UserError: there is no such kind.
    """
    if what not in KINDS:
        raise UserError(f"no list of '{what}'.{nearest(what, KINDS)} Known: {', '.join(KINDS)}")
    if what == "configs":
        names = [f"{name:30} {_title(path.read_text())}" for name, path in shipped_configs().items()]
    elif what == "methods":
        names = [name for name, path in SHORT.items() if ".methods." in path]
    elif what == "classes":
        names = list(SHORT)
    elif what == "presets":
        names = [f"--{choice}={preset}" for choice, presets in CHAIN.presets.items() for preset in presets]
    else:
        import timm

        names = ["resnet38d", *timm.list_models()]
    print("\n".join(names))
    return 0


def _title(text: str) -> str:
    """What an experiment file's first comment says before its first stop."""
    comment = " ".join(line.strip("# ") for line in text.splitlines()[:3])
    return re.split(r"[.;]\s", comment)[0]
