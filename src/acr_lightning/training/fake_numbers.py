"""Numbers for tensors that hold none: torch's fake tensors know shape, type and device, and a step may ask for more."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

# Of whatever is counted: true cells of a mask, different values.
SOME = 4


def answer(name: str, tensor: Any, number: int = 1) -> Callable[[], Any] | None:
    """What an op that hangs on numbers gives for a fake tensor.

    Args:
        name: of the op.
        tensor: its first argument.
        number: that a tensor of one cell holds, unless it is a bool, which is False.

    Returns:
        Makes it; None where the op does not hang on numbers.
    """
    if name == "_local_scalar_dense":
        return lambda: float(number) if tensor.dtype.is_floating_point else tensor.dtype != torch.bool and number
    if name == "equal":
        return lambda: False
    if name == "nonzero":
        return lambda: tensor.new_zeros(SOME, tensor.dim(), dtype=torch.long)
    if name == "masked_select":
        return lambda: tensor.new_zeros(SOME)
    if name.startswith(("unique", "_unique")):
        counts = tensor.numel(), 2
        return lambda: (tensor.new_zeros(2), *(tensor.new_zeros(count, dtype=torch.long) for count in counts))
    return None


def is_mask(index: Any) -> bool:
    """Whether an index of a tensor chooses by a mask."""
    return isinstance(index, Tensor) and index.dtype == torch.bool


def without_masks(indices: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Where a mask chooses, a few indices of each of its sides instead."""
    whole: list[Tensor | None] = []
    for index in indices:
        if index is not None and is_mask(index):
            whole += [index.new_zeros(SOME).long()] * index.dim()
        else:
            whole.append(index)
    return whole
