"""Networks in checkpoints: each describes itself, and is made again without its training module."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from acr_lightning.artefacts import checkpoint_file
from acr_lightning.artefacts.manifest import require_classes
from acr_lightning.classes.foreign_classes import build_foreign
from acr_lightning.data.class_faults import require_class_names
from acr_lightning.errors import UserError, nearest, shown
from acr_lightning.nets.described import Described

# Keys of a checkpoint: how the network is made, which attribute of the LightningModule it was, what it tells apart.
NETWORK, PART, CLASS_NAMES = "network", "network_part", "class_names"

Network = TypeVar("Network", bound=Described)


def describe_in(checkpoint: dict[str, Any], network: Described, part: str) -> None:
    """Write into a checkpoint what `load_network` needs.

    Args:
        checkpoint: that Lightning is about to save.
        network: an attribute of the LightningModule.
        part: its name.
    """
    checkpoint.update({NETWORK: network.description(), PART: part})


def load_network(
    path: str | Path,
    kind: type[Network],
    made_by: str,
    packages: Collection[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Network:
    """The trained network of a checkpoint, in eval mode.

    Args:
        path: of the checkpoint.
        kind: what the network must be.
        made_by: the command that makes such checkpoints, for messages.
        packages: of which networks may be made, beside this package.
        overrides: arguments of the network that differ from those of its training.

    Raises:
        UserError: the file is missing or damaged, or holds no such network, or one without such arguments.
    """
    checkpoint = read_checkpoint(path, made_by)
    if overrides:
        checkpoint[NETWORK] = _overridden(checkpoint[NETWORK], overrides)
    network = _made(checkpoint[NETWORK], f"{path}: {NETWORK}", packages)
    if not isinstance(network, kind):
        raise UserError(f"{path}: holds a {type(network).__name__}, not a checkpoint of `{made_by}`")
    _load(network, checkpoint, path)
    return network.eval()


def load_weights(network: Described, source: str | Path) -> None:
    """Give a network, or the one that is wrapped in it, the weights of one that is made in the same way.

    Args:
        network: that gets them.
        source: a checkpoint of stage `fit`, or the folder of its run.

    Raises:
        UserError: there is no such checkpoint, or its network is another one.
    """
    path = fit_checkpoint(source)
    checkpoint = read_checkpoint(path, "acr fit")
    for part in network.modules():
        if isinstance(part, Described) and part.description() == checkpoint[NETWORK]:
            return _load(part, checkpoint, path)
    raise UserError(
        f"initial: {path} holds {_short(checkpoint[NETWORK])}, but {_short(network.description())} is wanted"
    )


def class_names_of(path: str | Path, made_by: str) -> list[str]:
    """The names of the classes that a checkpoint's network knows, without background.

    Raises:
        UserError: the file is missing or damaged, or has no names that classes can have, or not as many as its network.
    """
    checkpoint = read_checkpoint(path, made_by)
    names = checkpoint.get(CLASS_NAMES)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: class_names: expected a list of names, got {shown(str(names))}")
    require_class_names(names, f"{path}: class_names")
    network = checkpoint.get(NETWORK)
    labels = (network.get("init_args") or {}).get("num_labels") if isinstance(network, dict) else None
    if isinstance(labels, int) and labels != 1 + len(names):
        raise UserError(f"{path}: class_names: {len(names)} for a network of {labels} labels with the background")
    return names


def require_learned_classes(module: torch.nn.Module, class_names: Sequence[str], where: str) -> None:
    """Check that every network whose weights were loaded, `module` or within it, knows a data set's classes.

    Args:
        module: some of whose networks may be from checkpoints; one that names no classes passes.
        class_names: of the data set, without background, in its order.
        where: key of the module, for the message.

    Raises:
        UserError: a network is for other classes, or has them in another order.
    """
    for part in module.modules():
        path, known = getattr(part, "learned", None) or ("", [])
        require_classes(f"{where}: {path}", known, class_names)


def fit_checkpoint(source: str | Path) -> Path:
    """Of a run's folder the checkpoint of its stage `fit`; any other path as it is."""
    return Path(source) / "fit" / "last.ckpt" if Path(source).is_dir() else Path(source)


def _load(network: Described, checkpoint: dict[str, Any], path: str | Path) -> None:
    try:
        load_part(network, checkpoint, checkpoint[PART])
    except Exception as error:  # RuntimeError of tensors that are missing or do not fit, others of other types
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: its weights do not fit its network ({reason})") from None
    names = checkpoint.get(CLASS_NAMES)
    network.learned = str(path), [*map(str, names)] if isinstance(names, list) else []


def _overridden(node: Any, overrides: Mapping[str, Any]) -> Any:
    known = node.get("init_args", {}) if isinstance(node, dict) else {}
    for name in overrides:
        if name not in known:
            raise UserError(f"overrides: the network has no {name!r}.{nearest(name, known)} It has {', '.join(known)}")
    return {**node, "init_args": {**known, **overrides}}


def _short(node: dict[str, Any]) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in node["init_args"].items())
    return f"{node['class_path'].rpartition('.')[2]}({arguments})"


def _made(node: Any, where: str, packages: Collection[str]) -> Any:
    """Make what `Described.description` describes, the modules among its arguments first."""
    if not isinstance(node, dict) or not isinstance(node.get("init_args"), dict):
        raise UserError(f"{where}: no class_path with init_args")
    arguments = {
        name: _made(value, where, packages) if isinstance(value, dict) and "class_path" in value else value
        for name, value in node["init_args"].items()
    }
    return build_foreign({**node, "init_args": arguments}, where, Described, packages)


def read_checkpoint(path: str | Path, made_by: str) -> dict[str, Any]:
    """Read a checkpoint on the CPU, without unpickling code.

    Raises:
        UserError: the file is missing, damaged, or describes no network.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such checkpoint; run `{made_by}` first")
    checkpoint = checkpoint_file.read(path, f"`{made_by}`")
    if not isinstance(checkpoint, dict) or not {NETWORK, PART, "state_dict"} <= checkpoint.keys():
        raise UserError(f"{path}: not a checkpoint of `{made_by}`")
    return checkpoint


def load_part(module: torch.nn.Module, checkpoint: dict[str, Any], name: str) -> None:
    """Load the part of a LightningModule's state that belongs to its attribute `name`."""
    prefix = f"{name}."
    state = checkpoint["state_dict"]
    module.load_state_dict({key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)})
