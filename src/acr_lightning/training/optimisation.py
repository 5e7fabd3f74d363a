"""Optimisers of this field: four parameter groups, a poly schedule by iteration."""

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
) -> list[dict[str, Any]]:
    """Trainable parameters in up to four groups: pretrained and new, weights and biases (FACTS §1, §3).

    Args:
        module: whose parameters are trained.
        pretrained: the part of it that starts from ImageNet weights.
        lr: of pretrained weights.
        weight_decay: of weights; biases have none.
        new_layer_factor: times `lr` for layers outside `pretrained`.
        bias_factor: times that for biases.

    Returns:
        Optimiser groups, the empty ones left out.
    """
    old = {id(parameter) for parameter in pretrained.parameters()}
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in old, name.endswith(".bias")), []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (1 if is_old else new_layer_factor) * (bias_factor if is_bias else 1),
            "weight_decay": 0.0 if is_bias else weight_decay,
        }
        for (is_old, is_bias), parameters in groups.items()
    ]


def make_optimizer(name: OptimizerName, groups: list[dict[str, Any]], momentum: float) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW (which takes no momentum)."""
    if name == "adamw":
        return torch.optim.AdamW(groups)
    return torch.optim.SGD(groups, lr=groups[0]["lr"], momentum=momentum)


def poly_schedule(optimizer: torch.optim.Optimizer, total_steps: int, power: float = 0.9) -> LambdaLR:
    """`lr · (1 − step/total)^power`, stepped once a batch; 0 from `total_steps` on."""
    return LambdaLR(optimizer, lambda step: max(0.0, 1 - step / total_steps) ** power)
