"""Optimisers of this field: groups of parameters with rates of their own, a schedule by iteration."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from timm.optim import create_optimizer_v2, list_optimizers  # type: ignore[attr-defined]  # no __all__, but public
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from acr_lightning.classes.bounded import NonNegativeInt
from acr_lightning.errors import UserError, nearest
from acr_lightning.nets.pretrained import pretrained_parameters
from acr_lightning.training.layer_decay import layer_factors

OptimizerName = Literal["sgd", "adamw"]
ScheduleName = Literal["poly", "cosine"]


def parameter_groups(
    module: nn.Module,
    pretrained: Iterable[nn.Parameter],
    lr: float,
    weight_decay: float,
    new_layer_factor: float = 10.0,
    bias_factor: float = 2.0,
    transposed_factor: float | None = None,
    layer_decay: float = 1.0,
) -> list[dict[str, Any]]:
    """Trainable parameters by learning rate and weight decay, as this field sets them (docs/method.md).

    Args:
        module: whose parameters are trained.
        pretrained: those that start from pretrained weights.
        lr: of pretrained weights.
        weight_decay: of weights; biases, LayerNorm, tokens and embeddings have none.
        new_layer_factor: times `lr` for those that are not `pretrained`.
        bias_factor: times that for biases.
        transposed_factor: the same for transposed convolutions; None treats them as other new layers.
        layer_decay: times the rate of pretrained weights for every block between them and the end of a transformer.

    Returns:
        Optimiser groups.
    """
    layers = layer_factors(module, layer_decay)
    old = {id(parameter): layers.get(id(parameter), 1.0) for parameter in pretrained}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            factor = old.get(id(parameter), new_layer_factor)
            if transposed_factor is not None and isinstance(part, nn.ConvTranspose2d):
                factor = transposed_factor
            rate = lr * factor * (bias_factor if name == "bias" else 1.0)
            decay = weight_decay if name == "weight" and not isinstance(part, nn.LayerNorm) else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def make_optimizer(name: str, groups: list[dict[str, Any]], momentum: float) -> torch.optim.Optimizer:
    """SGD with momentum, AdamW (which takes no momentum), or one of timm's by its name.

    Raises:
        UserError: there is no such optimiser.
    """
    if name == "adamw":
        return torch.optim.AdamW(groups)
    if name == "sgd":
        return torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=momentum)
    known = [str(one) for one in list_optimizers()]
    if name not in known:
        raise UserError(f"optimizer: timm knows no '{name}'.{nearest(name, known)} Known: {', '.join(known)}")
    return create_optimizer_v2(groups, opt=name, lr=groups[0]["lr"], momentum=momentum)


def _poly(share: float) -> float:
    return float((1 - share) ** 0.9)


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


# How the rate falls with the share of the steps that is done.
SCHEDULES: dict[ScheduleName, Callable[[float], float]] = {"poly": _poly, "cosine": _cosine}


def poly_schedule(optimizer: torch.optim.Optimizer, total_steps: int) -> LambdaLR:
    """`lr · (1 − step/total)^0.9`, stepped once a batch; from the last of `total_steps` on it stays as it is."""
    return LambdaLR(optimizer, lambda step: _poly(min(step, total_steps - 1) / total_steps))


class Span(NamedTuple):
    """A stretch of the run with a schedule of its own.

    Attributes:
        start: its first epoch.
        epochs: how many; None goes on to the end of the run.
        factor: times the learning rate.
    """

    start: int
    epochs: int | None
    factor: float = 1.0


def schedule_by_spans(
    optimizer: torch.optim.Optimizer,
    spans: Sequence[Span],
    total_steps: int,
    epochs: int,
    schedule: ScheduleName = "poly",
    warmup_epochs: int = 0,
) -> LambdaLR:
    """A schedule that begins anew in each span, stepped once a batch; after a span it stays as it is.

    Args:
        optimizer: whose rates it sets.
        spans: in order.
        total_steps: of the run.
        epochs: of the run.
        schedule: how the rate falls over a span: `(1 − share)^0.9`, or half a period of the cosine.
        warmup_epochs: at the start of the first span the rate rises in a line from 0 instead.
    """
    per_epoch = total_steps // max(1, epochs)

    def factor(step: int) -> float:
        risen = step - spans[0].start * per_epoch + 1
        if warmup_epochs and risen <= warmup_epochs * per_epoch:
            return spans[0].factor * max(0, risen) / (warmup_epochs * per_epoch)
        begun = [span for span in spans if span.epochs != 0 and span.start * per_epoch <= step] or [spans[0]]
        start = begun[-1].start * per_epoch
        length = max(1, total_steps - start if begun[-1].epochs is None else begun[-1].epochs * per_epoch)
        return begun[-1].factor * SCHEDULES[schedule](min(max(step - start, 0), length - 1) / length)

    return LambdaLR(optimizer, factor)


@dataclass(frozen=True)
class OptimizerSettings:
    """How a network is trained by one optimiser.

    Args:
        name: `sgd`, `adamw`, or any optimiser that `timm.optim.list_optimizers()` knows.
        lr: of pretrained weights.
        new_layer_factor: times `lr` for layers that start from random weights.
        transposed_factor: the same for transposed convolutions; null treats them as other new layers.
        schedule: how the rate falls: `poly`, `(1 − share of the steps)^0.9`, or `cosine`, half a period.
        schedule_epochs: its length, after which the rate stays at its last value; null: the whole run.
        warmup_epochs: so many epochs at first the rate rises in a line from 0.
        momentum: of SGD.
        weight_decay: of weights; biases, LayerNorm, tokens and embeddings have none.
        gradient_clip_val: largest gradient norm of each network; null leaves gradients alone.
        bias_factor: times the rate for biases; 1 for transformers.
        layer_decay: times the rate of pretrained weights for every block between them and the end of a transformer.
    """

    name: str = "sgd"
    lr: float = 0.01
    new_layer_factor: float = 10.0
    transposed_factor: float | None = None
    schedule: ScheduleName = "poly"
    schedule_epochs: int | None = None
    warmup_epochs: NonNegativeInt = 0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    gradient_clip_val: float | None = None
    bias_factor: float = 2.0
    layer_decay: float = 1.0

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        """The optimiser of a network, in which pretrained parameters are found.

        Raises:
            UserError: there is no such optimiser.
        """
        groups = parameter_groups(
            module, pretrained_parameters(module), self.lr, self.weight_decay, self.new_layer_factor, self.bias_factor,
            self.transposed_factor, self.layer_decay,
        )  # fmt: skip
        return make_optimizer(self.name, groups, self.momentum)
