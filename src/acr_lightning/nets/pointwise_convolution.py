"""A 1×1 convolution as a product of matrices."""

from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseConvolution(nn.Conv2d):
    """The same as `nn.Conv2d(before, after, 1)`, which one thread of a CPU computes photo by photo.

    Args:
        before: channels of the map.
        after: channels of the result.
        bias: whether each channel of the result has one.
    """

    def __init__(self, before: int, after: int, bias: bool = True) -> None:
        super().__init__(before, after, 1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        """`[B, before, h, w]`, fastest with channels last in memory, to `[B, after, h, w]`, channels last."""
        return F.linear(maps.movedim(1, -1), self.weight.flatten(1), self.bias).movedim(-1, 1)
