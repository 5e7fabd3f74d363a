"""The decoder's last layer, computed before its upsampling."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Which of the small map's three rows each row of a 3×3 kernel falls on, for even and for odd rows of the large map.
FALLS_ON = torch.tensor(
    [
        [[1.0, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[0.0, 0, 0], [1, 1, 0], [0, 0, 1]],
    ]
)


class UpsampledConvolution(nn.Conv2d):
    """A 3×3 convolution of the map enlarged ×2 (nearest), without the large map.

    The nine pixels under the kernel are at most four different ones of the small map. So there is a 3×3 kernel on the
    small map for each of the four pixels that one of its pixels becomes.
    """

    falls_on: Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1)
        self.register_buffer("falls_on", FALLS_ON, persistent=False)

    def forward(self, small: Tensor) -> Tensor:
        """`[B, before, h, w]` to `[B, after, 2h, 2w]`."""
        falls_on = self.falls_on.to(self.weight)
        kernels = torch.einsum("psy,qtx,oiyx->opqist", falls_on, falls_on, self.weight).flatten(0, 2)
        assert self.bias is not None
        return F.pixel_shuffle(F.conv2d(small, kernels, self.bias.repeat_interleave(4), padding=1), 2)
