"""A classifier on the maps of a backbone that does not learn: those maps can be computed once and kept."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.nets.pointwise_convolution import PointwiseConvolution
from acr_lightning.nets.tensors_digest import tensors_sha256


class FrozenClassifier(ConvolutionalClassifier):
    """1×1 convolutions on several maps of a frozen backbone, summed on one grid → ReLU → two more = CAM logits.

    Images may be given as what `features` makes of them.

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or ViT, or `resnet38d`.
        weights: of the backbone: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        taps: how many of the backbone's maps are used, counted from the deepest.
        stride: of the CAM; it has the grid of the first map that is as coarse.
        width: channels made of each map.
        dropout: share of the channels left out in training.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "tf_efficientnet_lite0",
        weights: str | None = None,
        output_stride: int | None = None,
        taps: int = 4,
        stride: int = 8,
        width: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.backbone = Backbone(backbone, weights, output_stride, freeze_batchnorm=True, conv_head=True)
        self.backbone.requires_grad_(False)
        self.taps, self.multiple = taps, self.backbone.multiple
        self.channels = self.backbone.map_channels[-taps:]
        strides = self.backbone.strides[-taps:]
        self.grid = next((at for at, one in enumerate(strides) if one >= stride), len(strides) - 1)
        for at, channels in enumerate(self.channels):
            self.register_buffer(f"scale_{at}", torch.ones(1, channels, 1, 1))
        self.sides = nn.ModuleList(PointwiseConvolution(channels, width) for channels in self.channels)
        self.mix = PointwiseConvolution(width, width)
        self.classify = PointwiseConvolution(width, num_classes, bias=False)
        self.dropout = nn.Dropout2d(dropout)

    def train(self, mode: bool = True) -> Self:
        """As usual, but the backbone stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def again(self) -> Self:
        """A new one with the same frozen backbone."""
        backbone, copy = self.backbone, super().again()
        copy.backbone = backbone
        return copy

    def normalise(self, image: Tensor) -> Tensor:  # noqa: D102
        return self.backbone.normalise(image)

    def source(self) -> dict[str, Any]:
        """What the maps depend on: the weights by their digest, wherever they came from."""
        state = {name: value.cpu().numpy() for name, value in self.backbone.state_dict().items()}
        names = ("backbone", "output_stride", "taps")
        return {**{name: self.arguments[name] for name in names}, "tensors": tensors_sha256(state)}

    def maps(self, image: Tensor) -> list[Tensor]:
        """Normalised images `[B, 3, H, W]` to the maps that are used, finest first, `[B, channels[i], h_i, w_i]`.

        They have a gradient only where the images have one.
        """
        return self.backbone.maps(image)[-self.taps :]

    def set_scales(self, deviations: Iterable[Sequence[float]]) -> None:
        """Say how large each channel of each map is, so that all of them weigh alike.

        Args:
            deviations: root mean squares over many photos.
        """
        for at, one in enumerate(deviations):
            getattr(self, f"scale_{at}").copy_(torch.tensor(one).view(1, -1, 1, 1))

    def features(self, image: Tensor | list[Tensor]) -> list[Tensor]:
        """Scaled maps of normalised images `[B, 3, H, W]`; those that were kept are returned as they are."""
        if not isinstance(image, Tensor):
            return image
        return [one / getattr(self, f"scale_{at}") for at, one in enumerate(self.maps(image))]

    def embed(self, image: Tensor | list[Tensor]) -> tuple[Tensor, Sequence[Tensor]]:
        """Normalised images `[B, 3, H, W]`, or their scaled maps, to what `classify` takes, and to scaled maps."""
        features = self.features(image)
        size = features[self.grid].shape[-2:]
        sides: dict[torch.Size, Tensor] = {}
        for side, one in zip(self.sides, features, strict=True):
            summand = side(self.dropout(_no_larger(one, size)))
            sides[summand.shape[-2:]] = sides[summand.shape[-2:]] + summand if summand.shape[-2:] in sides else summand
        maps = [F.interpolate(total, size, mode="bilinear", align_corners=False) for total in sides.values()]
        return F.relu(self.mix(self.dropout(F.relu(sum(maps[1:], start=maps[0]))))), features


def _no_larger(maps: Tensor, size: torch.Size) -> Tensor:
    """Maps `[B, C, h, w]` brought to a coarser grid by means: before a 1×1 convolution, which commutes with them."""
    (height, width), (rows, columns) = maps.shape[-2:], size
    if height <= rows:
        return maps
    if height % rows or width % columns:
        return F.adaptive_avg_pool2d(maps, (rows, columns))
    return F.avg_pool2d(maps, (height // rows, width // columns))  # the same, and several times as fast on a CPU
