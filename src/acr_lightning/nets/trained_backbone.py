"""The backbone that a run's classifier trained, as the start of another network."""

from pathlib import Path

from torch import Tensor, nn

from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import PART, fit_checkpoint, read_checkpoint

# Of the networks that have a backbone, the attribute that is it.
BACKBONE = "backbone."
# What a network beside the classifier does without.
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
    state = _backbone_of(checkpoint["state_dict"], f"{checkpoint[PART]}.")
    if not state:
        raise UserError(f"weights: {path}: its network has no backbone of this package")
    wanted = backbone.state_dict()
    for name, value in wanted.items():
        if name not in state or state[name].shape != value.shape:
            have = "is missing" if name not in state else f"is {list(state[name].shape)}"
            raise UserError(f"weights: {path} holds another backbone: {name} {have}, not {list(value.shape)}")
    foreign = [name for name in state if name not in wanted and not name.startswith(OPTIONAL)]
    if foreign:
        raise UserError(f"weights: {path} holds another backbone: it has {foreign[0]} besides")
    backbone.load_state_dict({name: state[name] for name in wanted})


def _backbone_of(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    """The tensors of a network's backbone by their names in it; that of the network inside, if it wraps another."""
    own = {name.removeprefix(part): value for name, value in state.items() if name.startswith(part)}
    first = next((name for name in own if f".{name}".find(f".{BACKBONE}") >= 0), None)
    if first is None:
        return {}
    prefix = first[: f".{first}".find(f".{BACKBONE}")] + BACKBONE
    return {name.removeprefix(prefix): value for name, value in own.items() if name.startswith(prefix)}
