"""A timm network as a backbone: three feature maps, frozen BatchNorm, its own normalisation."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import timm
import torch
from timm.models.efficientnet import EfficientNetFeatures
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.described import Described
from acr_lightning.nets.sizes import scaled_size
from acr_lightning.nets.vit.patch_tokens import is_vit, patch_tokens
from acr_lightning.nets.weights import pretrained_overlay

TAPS = 3


class Taps(NamedTuple):
    """The last three feature maps of a backbone, finest first; for ResNet38d 512, 1024 and 4096 channels."""

    early: Tensor
    middle: Tensor
    final: Tensor


class Backbone(Described):
    """Any timm CNN or ViT, or ResNet38d, as a feature extractor.

    Images come in `[0, 1]`; `normalise` applies the mean and deviation that the network was trained with.

    Attributes:
        channels: of the three taps.
        map_channels: of all feature maps.
        strides: of all feature maps.
        multiple: images whose sides are no multiples of it are resized to the nearest ones; a ViT's patch.

    Args:
        name: of a timm model that knows `features_only`, for example `resnet50`, `tf_efficientnet_lite0`, `resnet38d`,
            `vit_small_patch14_dinov2`.
        weights: `lite0` (ImageNet weights that a Python package carries), `timm` (timm's hub, needs the network), the
            path of a `.safetensors` or `.pth` file, or null for random weights.
        output_stride: 8, 16 or 32; null is the network's own, the only one of a ViT.
        freeze_batchnorm: keep BatchNorm's statistics and affine parameters as they are (always, for ACR with
            pretrained weights; a network trained from scratch needs false).
        conv_head: go on to the map that the network's own classifier pools, where it is not that of the last stage:
            EfficientNet and its kin have one more 1×1 convolution.
        blocks: of a ViT, whose patch tokens are its maps, counted from 1; null is the last of each third, 4, 8 and 12.

    Raises:
        UserError: no such timm model, an unusable output stride, no such blocks, or weights that are
            missing or do not fit.
    """

    def __init__(
        self,
        name: str = "resnet38d",
        weights: str | None = None,
        output_stride: int | None = None,
        freeze_batchnorm: bool = True,
        conv_head: bool = False,
        blocks: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise UserError(f"backbone: timm knows no model '{name}'; see timm.list_models('*{name[:6]}*')")
        overlay = pretrained_overlay(name, weights)
        source: dict[str, Any] = {"pretrained": overlay is not None, "pretrained_cfg_overlay": overlay}
        try:
            net: Any = _extractor(name, source, output_stride, blocks)
        except OSError as error:
            if weights != "timm":
                raise
            raise UserError(
                f"weights: timm's of {name} cannot be fetched ({_first_line(error)}); give a file"
            ) from None
        self.net = net
        self.map_channels: list[int] = net.feature_info.channels()
        self.strides: list[int] = net.feature_info.reduction()
        self.multiple = self.strides[-1] if is_vit(name) else 1
        self.conv_head: nn.Sequential | None = None
        if conv_head and isinstance(net, EfficientNetFeatures):
            whole: Any = timm.create_model(name, **source)
            self.conv_head = nn.Sequential(whole.conv_head, whole.bn2)
            self.map_channels = [*self.map_channels[:-1], whole.conv_head.out_channels]
        self.channels = self.map_channels[-TAPS:]
        self.freeze_batchnorm = freeze_batchnorm
        if freeze_batchnorm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.requires_grad_(False)
        config = timm.get_pretrained_cfg(name)
        mean, std = (config.mean, config.std) if config else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.train()  # a new module is in train mode, in which frozen BatchNorm must not be

    def train(self, mode: bool = True) -> "Backbone":
        """As usual, but frozen BatchNorm stays in eval mode."""
        super().train(mode)
        if mode and self.freeze_batchnorm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def pretrained_parameters(self) -> Iterator[nn.Parameter]:
        """All of them."""
        return self.parameters()

    def normalise(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[0, 1]` to the range that the network was trained with."""
        return (image - cast(Tensor, self.mean)) / cast(Tensor, self.std)

    def maps(self, image: Tensor) -> list[Tensor]:
        """Normalised images `[B, 3, H, W]` to all feature maps `[B, map_channels[i], h_i, w_i]`, finest first."""
        if self.multiple > 1:
            old_size = (int(image.shape[-2]), int(image.shape[-1]))  # while it is traced, sides are tensors
            if (size := scaled_size(old_size, 1, self.multiple)) != old_size:
                image = F.interpolate(image, size, mode="bilinear", align_corners=False)
        *maps, last = self.net(image)
        return [*maps, last if self.conv_head is None else self.conv_head(last)]

    def forward(self, image: Tensor) -> Taps:
        """Normalised images `[B, 3, H, W]` to the three taps `[B, C_i, h_i, w_i]`."""
        return Taps(*self.maps(image)[-TAPS:])


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _extractor(name: str, source: dict[str, Any], output_stride: int | None, blocks: Sequence[int] | None) -> Any:
    """A network that makes all its feature maps, finest first."""
    if not is_vit(name):
        if blocks is not None:
            raise UserError(f"blocks: {name} has none; only a ViT has")
        options: dict[str, Any] = {} if output_stride is None else {"output_stride": output_stride}
        try:
            return timm.create_model(name, features_only=True, **source, **options)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UserError(f"backbone {name}: {_first_line(error)}") from None
    if output_stride is not None:
        raise UserError(f"output_stride: {name} is a ViT, whose stride is its patch; set output_stride to null")
    return patch_tokens(name, source, blocks)
