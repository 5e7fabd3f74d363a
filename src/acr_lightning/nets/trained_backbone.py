"""The backbone that a run's classifier trained, as the start of another network."""

import re
from pathlib import Path

from torch import Tensor, nn

from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import PART, fit_checkpoint, read_checkpoint
from acr_lightning.nets.weights import misfit

# Tensors that only a classifier needs.
OPTIONAL = ("conv_head.",)


def is_run(weights: str | None) -> bool:
    """Whether `weights` names a run's folder or a checkpoint of stage `fit`."""
    return weights is not None and (Path(weights).is_dir() or Path(weights).suffix == ".ckpt")


def load_trained(backbone: nn.Module, weights: str) -> None:
    """Give a backbone the weights of the one in a run's classifier.

    Args:
        backbone: of the same architecture.
        weights: the run's folder, or a checkpoint of stage `fit`.

    Raises:
        UserError: there is no such checkpoint, or its backbone is another one.
    """
    path = fit_checkpoint(weights)
    checkpoint = read_checkpoint(path, "acr fit")
    state = _backbone_of(checkpoint["state_dict"], checkpoint[PART])
    if not state:
        raise UserError(f"weights: {path}: its network has no backbone of this package")
    places = backbone.state_dict()
    if fault := misfit(places, state):
        raise UserError(f"weights: {path} holds another backbone: {fault}")
    foreign = [name for name in state if name not in places and not name.startswith(OPTIONAL)]
    if foreign:
        raise UserError(f"weights: {path} holds another backbone: it has {foreign[0]} besides")
    backbone.load_state_dict({name: state[name] for name in places})


def _backbone_of(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of the backbone of the network `part`, or of the one that it wraps, by their names in it."""
    inside = re.compile(rf"{re.escape(part)}\.(?:.+?\.)??backbone\.")
    prefix = next((match[0] for match in map(inside.match, state) if match), None)
    return {name[len(prefix) :]: value for name, value in state.items() if name.startswith(prefix)} if prefix else {}
