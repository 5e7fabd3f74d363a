"""Optimisers of this field: groups of parameters with rates of their own, a poly schedule by iteration."""

from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

OptimizerName = Literal["sgd", "adamw"]


def parameter_groups(
    module: nn.Module,
    pretrained: nn.Module,
    lr: float,
    weight_decay: float,
    new_layer_factor: float = 10.0,
    bias_factor: float = 2.0,
    transposed_factor: float | None = None,
) -> list[dict[str, Any]]:
    """Trainable parameters by learning rate and weight decay (FACTS §1, §3).

    Args:
        module: whose parameters are trained.
        pretrained: the part of it that starts from ImageNet weights.
        lr: of pretrained weights.
        weight_decay: of weights; biases have none.
        new_layer_factor: times `lr` for layers outside `pretrained`.
        bias_factor: times that for biases.
        transposed_factor: the same for transposed convolutions; None treats them as other new layers.

    Returns:
        Optimiser groups.
    """
    old = {id(parameter) for parameter in pretrained.parameters()}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            factor = 1.0 if id(parameter) in old else new_layer_factor
            if transposed_factor is not None and isinstance(part, nn.ConvTranspose2d):
                factor = transposed_factor
            rate, decay = (lr * factor * bias_factor, 0.0) if name == "bias" else (lr * factor, weight_decay)
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def make_optimizer(name: OptimizerName, groups: list[dict[str, Any]], momentum: float) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW (which takes no momentum)."""
    if name == "adamw":
        return torch.optim.AdamW(groups)
    return torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=momentum)


def poly_schedule(optimizer: torch.optim.Optimizer, total_steps: int, power: float = 0.9) -> LambdaLR:
    """`lr · (1 − step/total)^power`, stepped once a batch; from the last of `total_steps` on it stays as it is."""
    return LambdaLR(optimizer, lambda step: (1 - min(step, total_steps - 1) / total_steps) ** power)
