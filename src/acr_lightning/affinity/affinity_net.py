"""AffinityNet (PSA): features whose difference tells whether two cells belong to the same label."""

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.affinity.pair_affinity import feature_affinity
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.described import Described

# Channels made of the early, the middle and the final tap.
WIDTHS = (64, 128, 256)


class AffinityNetwork(Described):
    """What both kinds of affinity network share: a backbone that may be frozen, and then stays in eval mode."""

    def __init__(self, backbone: Backbone, freeze_backbone: bool) -> None:
        super().__init__()
        self.backbone, self.freeze_backbone = backbone, freeze_backbone
        if freeze_backbone:
            backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> "AffinityNetwork":
        """As usual, but a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    @abstractmethod
    def affinity(self, output: Tensor, radius: int) -> Tensor:
        """The affinity of all pairs, `[B, D, h, w]`, from the network's result `[B, C, h, w]`."""


class AffinityNet(AffinityNetwork):
    """A 1×1 convolution and ELU on each tap of a backbone, concatenated, and once more (Ahn and Kwak, CVPR 2018).

    Taps coarser than the first one are enlarged to its size; those of ResNet38d are all of stride 8.

    Args:
        backbone: the feature extractor.
        freeze_backbone: train the new layers alone; published is training all. Frozen, it stays in eval mode.
    """

    def __init__(self, backbone: Backbone, freeze_backbone: bool = False) -> None:
        super().__init__(backbone, freeze_backbone)
        self.reduce = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False) for channels, width in zip(backbone.channels, WIDTHS, strict=True)
        )
        self.mix = nn.Conv2d(sum(WIDTHS), sum(WIDTHS), 1, bias=False)
        for reduce in self.reduce:
            nn.init.kaiming_normal_(reduce.weight)  # type: ignore[arg-type]
        nn.init.xavier_uniform_(self.mix.weight, gain=4)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` to features `[B, 448, h, w]` at the first tap's stride."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            taps = self.backbone(image)
        maps = [F.elu(reduce(tap)) for reduce, tap in zip(self.reduce, taps, strict=True)]
        size = maps[0].shape[-2:]
        features = [F.interpolate(one, size, mode="bilinear", align_corners=False) for one in maps]
        return F.elu(self.mix(torch.cat(features, dim=1)))

    def affinity(self, output: Tensor, radius: int) -> Tensor:  # noqa: D102
        return feature_affinity(output, radius)
