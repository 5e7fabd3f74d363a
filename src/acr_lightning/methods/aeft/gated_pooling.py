"""Gated pyramid pooling: the CAM at four resolutions, fused by learned gates (AEFT, ECCV 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Cells a side of the resolutions, the coarsest first.
GRIDS = (2, 4, 8, 16)


class Gate(nn.Module):
    """Fuses two maps of each class, their positive parts and their negative parts apart."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.positive = nn.Conv2d(2 * num_classes, 2, 3, padding=1, bias=False)
        self.negative = nn.Conv2d(2 * num_classes, 2, 3, padding=1, bias=False)

    def forward(self, one: Tensor, two: Tensor) -> Tensor:
        """Two `[B, K, h, w]` to one."""
        return _fused(self.positive, one, two) - _fused(self.negative, -one, -two)


class GatedPooling(nn.Module):
    """The class logits of a CAM."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.gates = nn.ModuleList(Gate(num_classes) for _ in GRIDS[1:])

    def forward(self, cam_logits: Tensor) -> Tensor:
        """`A`, `[B, K, h, w]`, to `Q` of the same shape: the pooled CAMs, fused from the coarsest on."""
        size = cam_logits.shape[-2:]
        levels = [
            F.interpolate(_mean_pooled(cam_logits, grid), size, mode="bilinear", align_corners=False) for grid in GRIDS
        ]
        total = levels[0]
        for gate, one in zip(self.gates, levels[1:], strict=True):
            total = gate(total, one)
        return total


def class_logits(cam_logits: Tensor, pooled: Tensor) -> Tensor:
    """`o`, `[B, K]`: the mean of `A` times `Q` where both are positive, less that where both are negative."""
    return (F.relu(cam_logits) * F.relu(pooled) - F.relu(-cam_logits) * F.relu(-pooled)).mean(dim=(2, 3))


def _mean_pooled(maps: Tensor, grid: int) -> Tensor:
    """`adaptive_avg_pool2d` by matrices, since the gradient of torch's own is not deterministic on a GPU."""
    rows, columns = (
        F.adaptive_avg_pool1d(torch.eye(side, dtype=maps.dtype, device=maps.device)[None], grid)[0]
        for side in maps.shape[-2:]
    )
    return rows.mT @ maps @ columns


def _fused(convolution: nn.Conv2d, one: Tensor, two: Tensor) -> Tensor:
    one, two = F.relu(one), F.relu(two)
    shares = torch.sigmoid(convolution(torch.cat([one, two], dim=1)))
    return (one * shares[:, :1] + two * shares[:, 1:]) / 2
