"""Layer-wise learning rates: what a pretrained transformer learned first is what changes least (BEiT, ICLR 2022)."""

import re

from torch import nn

IN_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)(?:\.|$)")


def layer_factors(module: nn.Module, decay: float) -> dict[int, float]:
    """What multiplies each parameter's learning rate: `decay` for every block between it and the network's end.

    What comes before the blocks counts as one more of them, what comes after the last one has 1.

    Args:
        module: whose blocks lie in lists called `blocks`; without any all factors are 1.
        decay: 1 changes nothing.

    Returns:
        By the `id` of the parameter.
    """
    parts = [(name, part, IN_BLOCK.search(name)) for name, part in module.named_modules()]
    depth = max((int(match[1]) + 1 for _, _, match in parts if match), default=0)
    factors, below = {}, depth
    for _, part, match in parts:
        if match:
            below = depth - 1 - int(match[1])
        elif below < depth:
            below = 0
        for parameter in part.parameters(recurse=False):
            factors[id(parameter)] = decay**below
    return factors
