"""Segmentation heads that leave the work to the backbone, as vision transformers are evaluated and fine-tuned."""

from torch import Tensor, nn


class LinearHead(nn.Sequential):
    """A 1×1 convolution on the last map after BatchNorm, DINOv2's linear evaluation (Oquab et al., TMLR 2024).

    Args:
        channels: of the last feature map.
        num_labels: K + 1.
    """

    def __init__(self, channels: int, num_labels: int) -> None:
        classify = nn.Conv2d(channels, num_labels, 1)
        nn.init.normal_(classify.weight, std=0.01)
        nn.init.zeros_(classify.bias)  # type: ignore[arg-type]
        super().__init__(nn.BatchNorm2d(channels), classify)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The backbone's maps to logits at its stride."""
        logits: Tensor = super().forward(maps[-1])
        return logits


class UpsamplingHead(nn.Sequential):
    """Two stages of a 3×3 convolution and a bilinear doubling: SETR-PUP's (Zheng et al., CVPR 2021), half as many.

    Four, as published, would end at the size of the image; two end at a quarter of the patch, where V3+'s decoder does.

    Args:
        channels: of the last feature map.
        num_labels: K + 1.
        width: channels between.
    """

    def __init__(self, channels: int, num_labels: int, width: int = 256) -> None:
        stages = [
            nn.Sequential(
                nn.Conv2d(entering, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            )
            for entering in (channels, width)
        ]
        super().__init__(*stages, nn.Conv2d(width, num_labels, 1))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """The backbone's maps to logits at a quarter of its stride."""
        logits: Tensor = super().forward(maps[-1])
        return logits
