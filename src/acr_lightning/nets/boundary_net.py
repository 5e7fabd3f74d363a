"""The boundary branch of IRN: how likely a cell lies on the boundary between two labels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.affinity_net import AffinityNetwork
from acr_lightning.nets.backbone import Backbone


class BoundaryNet(AffinityNetwork):
    """A 1×1 convolution and GroupNorm on every feature map of a backbone, at one stride, mixed to one.

    Ahn, Cho and Kwak: Inter-pixel Relations, CVPR 2019.

    Maps finer than the result are max-pooled first, coarser ones enlarged after their convolution.

    Args:
        backbone: the feature extractor.
        freeze_backbone: train the branch alone, as published; the backbone then stays in eval mode.
        width: channels made of each map; 32 in the paper.
        stride: of the result; 4 in the paper.
        groups: of GroupNorm.
    """

    def __init__(
        self, backbone: Backbone, freeze_backbone: bool = True, width: int = 32, stride: int = 4, groups: int = 4
    ) -> None:
        super().__init__(backbone, freeze_backbone)
        self.stride = stride
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 1, bias=False), nn.GroupNorm(groups, width))
            for channels in backbone.map_channels
        )
        self.mix = nn.Conv2d(width * len(backbone.map_channels), 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` to boundary logits `[B, 1, ⌈H/stride⌉, ⌈W/stride⌉]`."""
        size = (-(-image.shape[-2] // self.stride), -(-image.shape[-1] // self.stride))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            maps = self.backbone.maps(image)
        found = []
        for branch, features in zip(self.branches, maps, strict=True):
            if features.shape[-2] > size[0] and features.shape[-1] > size[1]:
                features = F.adaptive_max_pool2d(features, size)
            found.append(F.relu(F.interpolate(branch(features), size, mode="bilinear", align_corners=False)))
        logits: Tensor = self.mix(torch.cat(found, dim=1))
        return logits
