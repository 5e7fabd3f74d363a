"""DeepLab on any backbone: V1-LargeFOV, V2 and V3+; or one of the light heads."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.segmentation.deeplabv3 import ASPP

from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.described import Described

HeadName = Literal["v1_large_fov", "v2", "v3plus", "v3plus_separable", "linear", "upsample"]
# Dilations of each head that has some, at output stride 8 and above, as published.
RATES: dict[HeadName, tuple[int, ...]] = {
    "v1_large_fov": (12,), "v2": (6, 12, 18, 24), "v3plus": (6, 12, 18), "v3plus_separable": (6, 12, 18),
}  # fmt: skip


class DeepLab(Described):
    """A backbone and a head, DeepLab's or a light one; the logits have the stride of what the head works on.

    Args:
        backbone: the feature extractor.
        num_labels: K + 1, with background.
        head: `v1_large_fov` (one wide convolution, Chen et al., 2015), `v2` (branches summed, 2017) or `v3plus` (ASPP
            and a decoder at stride 4, 2018), `v3plus_separable` with separable convolutions in both; `linear` or
            `upsample`, which leave the work to the backbone, as vision transformers are evaluated and fine-tuned.
        rates: dilations of the head; None takes the published ones.

    Raises:
        UserError: `rates` for a head without dilations.
    """

    def __init__(
        self, backbone: Backbone, num_labels: int, head: HeadName = "v2", rates: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.backbone = backbone
        if rates and head not in RATES:
            raise UserError(f"rates: the head {head} has no dilations; set rates to null")
        channels, dilations = backbone.channels[-1], tuple(rates or RATES.get(head, ()))
        self.head: nn.Module
        if head == "linear":
            self.head = linear_head(channels, num_labels)
        elif head == "upsample":
            self.head = upsampling_head(channels, num_labels)
        elif head == "v1_large_fov":
            self.head = large_fov(channels, num_labels, dilations[0])
        elif head == "v2":
            self.head = SummedASPP(channels, num_labels, dilations)
        else:
            self.head = V3PlusDecoder(backbone, num_labels, dilations, head == "v3plus_separable")

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` to logits `[B, K + 1, h, w]`."""
        maps = self.backbone.maps(image)
        logits: Tensor = self.head(maps if isinstance(self.head, V3PlusDecoder) else maps[-1])
        return logits


def large_fov(channels: int, num_labels: int, rate: int) -> nn.Sequential:
    """DeepLabV1's head: a 3×3 convolution of this dilation with a large field of view, two 1×1 ones, dropout."""
    return nn.Sequential(
        nn.Conv2d(channels, 1024, 3, padding=rate, dilation=rate),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(1024, 1024, 1),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Conv2d(1024, num_labels, 1),
    )


def linear_head(channels: int, num_labels: int) -> nn.Sequential:
    """A 1×1 convolution after BatchNorm, DINOv2's linear evaluation (Oquab et al., TMLR 2024)."""
    classify = nn.Conv2d(channels, num_labels, 1)
    nn.init.normal_(classify.weight, std=0.01)
    nn.init.zeros_(classify.bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.BatchNorm2d(channels), classify)


def upsampling_head(channels: int, num_labels: int) -> nn.Sequential:
    """Two stages of a 3×3 convolution and a bilinear doubling: SETR-PUP's (Zheng et al., CVPR 2021), half as many.

    Four, as published, would end at the size of the image; two end at a quarter of the patch, where V3+'s decoder does.
    """
    stages = [
        nn.Sequential(
            nn.Conv2d(width, 256, 3, padding=1, bias=False),
            nn.BatchNorm2d(256),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        )
        for width in (channels, 256)
    ]
    return nn.Sequential(*stages, nn.Conv2d(256, num_labels, 1))


class SummedASPP(nn.Module):
    """DeepLabV2's head: atrous branches that are classifiers themselves, summed."""

    def __init__(self, channels: int, num_labels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(channels, num_labels, 3, padding=rate, dilation=rate) for rate in rates)
        for branch in self.branches:
            nn.init.normal_(branch.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(branch.bias)  # type: ignore[arg-type]

    def forward(self, last: Tensor) -> Tensor:
        """The backbone's last map to logits at its stride."""
        logits: Tensor = sum(branch(last) for branch in self.branches)
        return logits


def separable(dense: nn.Conv2d) -> nn.Sequential:
    """In place of a 3×3 convolution one of its dilation, channel by channel, then a 1×1 one: a ninth of the work."""
    before, rate = dense.in_channels, dense.dilation[0]
    return nn.Sequential(
        nn.Conv2d(before, before, 3, padding=rate, dilation=rate, groups=before, bias=False),
        nn.Conv2d(before, dense.out_channels, 1, bias=False),
    )


class V3PlusDecoder(nn.Module):
    """DeepLabV3+'s head: ASPP, upsampled and joined with a map of stride 4 (Chen et al., ECCV 2018, section 3).

    Its BatchNorm starts from nothing, so it is trained whatever the backbone's does; its image pooling needs more than
    one image a device.

    Args:
        backbone: whose maps are used.
        num_labels: K + 1.
        rates: dilations of the ASPP.
        is_separable: whether its 3×3 convolutions are, in ASPP and in the decoder, as in the paper's fastest network.
    """

    def __init__(self, backbone: Backbone, num_labels: int, rates: Sequence[int], is_separable: bool = False) -> None:
        super().__init__()
        # The last map at stride 4, or the finest of a network that starts coarser.
        self.low = max((at for at, stride in enumerate(backbone.strides) if stride <= 4), default=0)
        self.aspp = ASPP(backbone.channels[-1], list(rates))
        self.reduce = nn.Sequential(
            nn.Conv2d(backbone.map_channels[self.low], 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU()
        )
        mix = nn.Conv2d(256 + 48, 256, 3, padding=1, bias=False)
        self.classify = nn.Sequential(
            separable(mix) if is_separable else mix, nn.BatchNorm2d(256), nn.ReLU(), nn.Conv2d(256, num_labels, 1)
        )
        if is_separable:
            for branch in self.aspp.convs[1:-1]:  # between the 1×1 one and the pooling
                branch[0] = separable(branch[0])

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The backbone's maps to logits at stride 4."""
        low = self.reduce(maps[self.low])
        high = F.interpolate(self.aspp(maps[-1]), low.shape[-2:], mode="bilinear", align_corners=False)
        logits: Tensor = self.classify(torch.cat([high, low], dim=1))
        return logits
