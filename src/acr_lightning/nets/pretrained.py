"""Which parameters of a network start from pretrained weights."""

from collections.abc import Iterator
from typing import Any

from torch import nn


def pretrained_parameters(*networks: nn.Module) -> Iterator[nn.Parameter]:
    """Those of every part, however deep, that has a method `pretrained_parameters`, as backbones and classifiers have.

    Args:
        networks: such parts, or anything that they lie in.
    """
    for network in networks:
        answer: Any = getattr(network, "pretrained_parameters", None)
        yield from answer() if answer is not None else pretrained_parameters(*network.children())
