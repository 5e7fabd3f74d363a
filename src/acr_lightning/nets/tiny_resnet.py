"""A small residual network at stride 4, for tiny images and CPUs; it trains from random weights in a minute."""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn
from torch.nn import functional as F


class Block(nn.Module):
    """Two 3×3 convolutions with BatchNorm and a shortcut.

    Args:
        before: channels of the input.
        after: channels of the output.
        stride: of the first convolution.
        dilation: of both.
    """

    def __init__(self, before: int, after: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if before != after or stride != 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """`[B, before, h, w]` to `[B, after, h/stride, w/stride]`."""
        identity = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + identity)


class TinyResNet(nn.Module):
    """Four blocks at stride 4, the last two dilated, so that a 64-pixel image has a 16×16 CAM.

    Args:
        num_classes: of the linear classifier; 0 gives pooled features.
        width: channels of the first block; the others have 3/2 and 2 times that.
    """

    def __init__(self, num_classes: int = 1000, width: int = 32, **_: Any) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stem = nn.Sequential(nn.Conv2d(3, width // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(width // 2), nn.ReLU())
        self.block1 = Block(width // 2, width, stride=2)
        self.block2 = Block(width, width * 3 // 2)
        self.block3 = Block(width * 3 // 2, width * 2, dilation=2)
        self.block4 = Block(width * 2, width * 2, dilation=4)
        self.fc = nn.Linear(2 * width, num_classes) if num_classes else nn.Identity()
        self.feature_info = [
            {"num_chs": width // 2, "reduction": 2, "module": "stem"},
            {"num_chs": width, "reduction": 4, "module": "block1"},
            {"num_chs": width * 3 // 2, "reduction": 4, "module": "block2"},
            {"num_chs": width * 2, "reduction": 4, "module": "block3"},
            {"num_chs": width * 2, "reduction": 4, "module": "block4"},
        ]

    def forward(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` to logits `[B, num_classes]`."""
        maps = self.block4(self.block3(self.block2(self.block1(self.stem(image)))))
        logits: Tensor = self.fc(maps.mean(dim=(2, 3)))
        return logits


default_cfgs = generate_default_cfgs(
    {
        "tiny_resnet.untrained": {
            "url": "", "input_size": (3, 64, 64), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5),
            "num_classes": 1000, "first_conv": "stem.0", "classifier": "fc",
        }
    }
)  # fmt: skip


@register_model
def tiny_resnet(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """A small residual network at stride 4, for tests and demonstrations; there are no trained weights for it."""
    return build_model_with_cfg(
        TinyResNet, "tiny_resnet", pretrained, feature_cfg={"flatten_sequential": False}, **kwargs
    )
