"""The boundary branch of IRN: how likely a cell lies on the boundary between two labels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.affinity.affinity_net import AffinityNetwork
from acr_lightning.affinity.pair_affinity import boundary_affinity
from acr_lightning.nets.backbone import Backbone

# Of the result; channels made of each map, and groups that they are normalised in: as published.
STRIDE, WIDTH, GROUPS = 4, 32, 4


class BoundaryNet(AffinityNetwork):
    """A 1×1 convolution and GroupNorm on every feature map of a backbone, at one stride, mixed to one.

    Ahn, Cho and Kwak: Inter-pixel Relations, CVPR 2019.

    Maps finer than the result are max-pooled first, coarser ones enlarged after their convolution.

    Args:
        backbone: the feature extractor.
        freeze_backbone: train the branch alone, as published; the backbone then stays in eval mode.
    """

    def __init__(self, backbone: Backbone, freeze_backbone: bool = True) -> None:
        super().__init__(backbone, freeze_backbone)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, WIDTH, 1, bias=False), nn.GroupNorm(GROUPS, WIDTH))
            for channels in backbone.map_channels
        )
        self.mix = nn.Conv2d(WIDTH * len(backbone.map_channels), 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` to boundary logits `[B, 1, ⌈H/4⌉, ⌈W/4⌉]`."""
        size = (-(-image.shape[-2] // STRIDE), -(-image.shape[-1] // STRIDE))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            maps = self.backbone.maps(image)
        edges = []
        for branch, features in zip(self.branches, maps, strict=True):
            if features.shape[-2] > size[0] and features.shape[-1] > size[1]:
                features = _max_pooled(features, size)
            edges.append(F.relu(F.interpolate(branch(features), size, mode="bilinear", align_corners=False)))
        logits: Tensor = self.mix(torch.cat(edges, dim=1))
        return logits

    def affinity(self, output: Tensor, radius: int) -> Tensor:  # noqa: D102
        return boundary_affinity(output.squeeze(1).sigmoid(), radius)


def _max_pooled(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """`adaptive_max_pool2d`, whose gradient torch has no deterministic way for on a GPU, where that can be avoided."""
    (height, width), (rows, columns) = maps.shape[-2:], size
    if height % rows or width % columns:
        return F.adaptive_max_pool2d(maps, size)
    return F.max_pool2d(maps, (height // rows, width // columns))
