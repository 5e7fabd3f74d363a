"""ResNet38d: the wide pre-activation network with dilations that this field trains its CAMs on.

Zifeng Wu, Chunhua Shen, Anton van den Hengel: Wider or Deeper: Revisiting the ResNet Model for Visual Recognition, 2016
(model A1), with the last three stages dilated instead of strided, so that features have stride 8.

Its ImageNet weights, which `tools/convert_resnet38d.py` makes, were trained on RGB in `[0, 1]` with ImageNet's mean and
deviation, and with BatchNorm's eps of 1e-5, torch's default.
"""

from typing import Any, cast

from timm.models import FeatureInfo, build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F


class Unit(nn.Module):
    """Pre-activation residual unit of two 3×3 convolutions."""

    def __init__(
        self, before: int, inner: int, after: int, stride: int = 1, first_dilation: int = 1, dilation: int = 1
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, inner, 3, stride, padding=first_dilation, dilation=first_dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, after, 3, padding=dilation, dilation=dilation, bias=False)
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if before != after or stride != 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """`[B, before, h, w]` to `[B, after, h/stride, w/stride]`."""
        active = F.relu(self.bn1(x))
        identity = x if self.shortcut is None else self.shortcut(active)
        out: Tensor = self.conv2(F.relu(self.bn2(self.conv1(active)))) + identity
        return out


class Bottleneck(nn.Module):
    """Pre-activation 1×1, 3×3, 1×1 unit; before the last two convolutions whole channels are dropped.

    Args:
        before: channels of the input.
        inner: channels after the first and after the second convolution.
        after: channels of the output.
        dilation: of the 3×3 convolution.
        dropout: probability with which a channel is dropped.
    """

    def __init__(self, before: int, inner: tuple[int, int], after: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, inner[0], 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner[0])
        self.drop2 = nn.Dropout2d(dropout)
        self.conv2 = nn.Conv2d(inner[0], inner[1], 3, padding=dilation, dilation=dilation, bias=False)
        self.bn3 = nn.BatchNorm2d(inner[1])
        self.drop3 = nn.Dropout2d(dropout)
        self.conv3 = nn.Conv2d(inner[1], after, 1, bias=False)
        self.shortcut = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, before, h, w]` to `[B, after, h, w]`."""
        active = F.relu(self.bn1(x))
        out = self.conv1(active)
        out = self.conv2(self.drop2(F.relu(self.bn2(out))))
        out = self.conv3(self.drop3(F.relu(self.bn3(out))))
        result: Tensor = out + self.shortcut(active)
        return result


def _stage(units: int, before: int, inner: int, after: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """A stage of plain units: only the first one strides, and its first convolution is not dilated."""
    first = Unit(before, inner, after, stride, first_dilation=1, dilation=dilation)
    rest = [Unit(after, inner, after, first_dilation=dilation, dilation=dilation) for _ in range(units - 1)]
    return nn.Sequential(first, *rest)


class ResNet38d(nn.Module):
    """ResNet38d at stride 8.

    Args:
        num_classes: of the linear classifier; 0 gives pooled features.
        in_chans: channels of the image.
        output_stride: only 8.
        width: channels of the stem; those of all other layers are multiples of it.
        drop_rates: of the last two stages, as in PSA and SEAM.

    Raises:
        ValueError: another output stride.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        output_stride: int = 8,
        width: int = 64,
        drop_rates: tuple[float, float] = (0.3, 0.5),
    ) -> None:
        super().__init__()
        if output_stride != 8:
            raise ValueError(f"resnet38d has output_stride 8, not {output_stride}")
        channels = [width * 2**power for power in range(7)]  # 64, 128, 256, 512, 1024, 2048, 4096
        self.num_classes = num_classes
        self.stem = nn.Conv2d(in_chans, channels[0], 3, padding=1, bias=False)
        self.stage2 = _stage(3, channels[0], channels[1], channels[1], stride=2)
        self.stage3 = _stage(3, channels[1], channels[2], channels[2], stride=2)
        self.stage4 = _stage(6, channels[2], channels[3], channels[3], stride=2)
        self.stage5 = _stage(3, channels[3], channels[3], channels[4], stride=1, dilation=2)
        self.stage6 = Bottleneck(channels[4], (channels[3], channels[4]), channels[5], 4, drop_rates[0])
        self.stage7 = Bottleneck(channels[5], (channels[4], channels[5]), channels[6], 4, drop_rates[1])
        self.norm = nn.BatchNorm2d(channels[6])
        self.fc = nn.Linear(channels[6], num_classes) if num_classes else nn.Identity()
        # Each map is what the next stage's convolutions take: after its first BatchNorm and ReLU. The last three are
        # the taps that ACR's reconstructor and AffinityNet read.
        self.feature_info: Any = [
            dict(num_chs=channels[1], reduction=2, module="stage3.0.bn1"),
            dict(num_chs=channels[2], reduction=4, module="stage4.0.bn1"),
            dict(num_chs=channels[3], reduction=8, module="stage5.0.bn1"),
            dict(num_chs=channels[4], reduction=8, module="stage6.bn1"),
            dict(num_chs=channels[6], reduction=8, module="norm"),
        ]

    def feature_maps(self, image: Tensor) -> list[Tensor]:
        """The five activated maps that `feature_info` describes, `[B, C_i, h_i, w_i]`, from `[B, 3, H, W]`."""
        maps = []
        x = self.stage2(self.stem(image))
        for stage in (self.stage3, self.stage4, self.stage5):
            maps.append(F.relu(cast(Unit, stage[0]).bn1(x)))
            x = stage(x)
        maps.append(F.relu(self.stage6.bn1(x)))
        maps.append(F.relu(self.norm(self.stage7(self.stage6(x)))))
        return maps

    def forward(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` to logits `[B, num_classes]`."""
        logits: Tensor = self.fc(self.feature_maps(image)[-1].mean(dim=(2, 3)))
        return logits


class ResNet38dFeatures(ResNet38d):
    """ResNet38d whose forward gives the feature maps, for timm's `features_only`.

    A subclass and not one of timm's wrappers: those cut a network at module borders, and four of the maps lie inside a
    unit, after its first BatchNorm and ReLU.

    Args:
        options: of `ResNet38d`, except `num_classes`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(num_classes=0, **options)
        self.feature_info = FeatureInfo(self.feature_info, tuple(range(len(self.feature_info))))

    def forward(self, image: Tensor) -> list[Tensor]:  # type: ignore[override]
        """`[B, 3, H, W]` to the five maps."""
        return self.feature_maps(image)


CONFIG = {
    "url": "",
    "input_size": (3, 224, 224),
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "num_classes": 1000,
    "first_conv": "stem",
    "classifier": "fc",
}
default_cfgs = generate_default_cfgs({"resnet38d.untrained": CONFIG, "resnet38d_acr.untrained": CONFIG})


def _build(variant: str, pretrained: bool, **kwargs: Any) -> nn.Module:
    if not kwargs.pop("features_only", False):
        return build_model_with_cfg(ResNet38d, variant, pretrained, **kwargs)
    # Not a classifier any more: its linear layer is dropped from the weights that are loaded.
    return build_model_with_cfg(
        ResNet38dFeatures, variant, pretrained, pretrained_strict=False, kwargs_filter=("num_classes",), **kwargs
    )


@register_model
def resnet38d(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """ResNet38d for classification, or with `features_only=True` for its five feature maps."""
    return _build("resnet38d", pretrained, **kwargs)


@register_model
def resnet38d_acr(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The same with the dropout of ACR's release, 0.2 in both stages; the same weights fit."""
    return _build("resnet38d_acr", pretrained, **{"drop_rates": (0.2, 0.2), **kwargs})
