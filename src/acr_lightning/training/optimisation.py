"""Optimisers of this field: groups of parameters with rates of their own, a schedule by iteration."""

import math
from collections.abc import Callable, Sequence
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

ScheduleName = Literal["poly", "cosine"]
# How the rate falls with the share of the steps that is done.
SCHEDULES: dict[ScheduleName, Callable[[float], float]] = {
    "poly": lambda share: float((1 - share) ** 0.9),
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
}


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


WHOLE_RUN = (Span(0, None),)


@dataclass(frozen=True)
class OptimizerSettings:
    """How a network is trained by one optimiser (docs/method.md).

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
        groups = self._groups(module)
        if self.name == "adamw":
            return torch.optim.AdamW(groups)
        if self.name == "sgd":
            return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum)
        known = [str(one) for one in list_optimizers()]
        if self.name not in known:
            hint = nearest(self.name, known)
            raise UserError(f"optimizer: timm knows no '{self.name}'.{hint} Known: {', '.join(known)}")
        return create_optimizer_v2(groups, opt=self.name, lr=self.lr, momentum=self.momentum)

    def build_schedule(
        self, optimizer: torch.optim.Optimizer, total_steps: int, epochs: int = 1, spans: Sequence[Span] = WHOLE_RUN
    ) -> LambdaLR:
        """The schedule of that optimiser, stepped once a batch; it begins anew in each span, and rests between them."""
        spans, per_epoch = [span for span in spans if span.epochs != 0], total_steps // max(1, epochs)
        if self.schedule_epochs is not None:
            spans[-1] = spans[-1]._replace(epochs=self.schedule_epochs)
        rise = self.warmup_epochs * per_epoch

        def factor(step: int) -> float:
            step_of_rise = step - spans[0].start * per_epoch + 1
            if rise and step_of_rise <= rise:
                return spans[0].factor * max(0, step_of_rise) / rise
            past_spans = [span for span in spans if span.start * per_epoch <= step] or [spans[0]]
            start = past_spans[-1].start * per_epoch
            length = max(1, total_steps - start if past_spans[-1].epochs is None else past_spans[-1].epochs * per_epoch)
            return past_spans[-1].factor * SCHEDULES[self.schedule](min(max(step - start, 0), length - 1) / length)

        return LambdaLR(optimizer, factor)

    def _groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Trainable parameters by learning rate and weight decay."""
        layers = layer_factors(module, self.layer_decay)
        old = {id(parameter): layers.get(id(parameter), 1.0) for parameter in pretrained_parameters(module)}
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                if not parameter.requires_grad:
                    continue
                factor = old.get(id(parameter), self.new_layer_factor)
                if self.transposed_factor is not None and isinstance(part, nn.ConvTranspose2d):
                    factor = self.transposed_factor
                rate = self.lr * factor * (self.bias_factor if name == "bias" else 1.0)
                decay = self.weight_decay if name == "weight" and not isinstance(part, nn.LayerNorm) else 0.0
                groups.setdefault((rate, decay), []).append(parameter)
        return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]
