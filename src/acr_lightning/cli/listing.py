"""`acr list`: what there is to choose from."""

from acr_lightning.class_names import SHORT
from acr_lightning.data.id_list import shipped
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

KINDS = ("configs", "methods", "classes", "presets", "backbones")


def listing(what: str, /) -> int:
    """Print names, one a line. WHAT is configs, methods, classes (short names for class_path), presets or backbones.

    Args:
        what: of which kind.

    Raises:
        UserError: there is no such kind.
    """
    if what not in KINDS:
        raise UserError(f"no list of '{what}'.{nearest(what, KINDS)} Known: {', '.join(KINDS)}")
    if what == "configs":
        names = configs()
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


def configs() -> list[str]:
    """The shipped files that `--config` takes; the sweep is W&B's."""
    found = (path.relative_to(shipped("")).as_posix() for path in sorted(shipped("").rglob("*.yaml")))
    return [name for name in found if not name.startswith("wandb/")]
