"""DeepLabV2: a backbone and an ASPP head whose branches are summed."""

from collections.abc import Sequence

from torch import Tensor, nn

from acr_lightning.nets.backbone import Backbone


class DeepLabV2(nn.Module):
    """Atrous spatial pyramid pooling over a backbone's last feature map (Chen et al., 2017).

    Args:
        backbone: the feature extractor.
        num_labels: K + 1, with background.
        rates: dilation of each 3×3 branch.
    """

    def __init__(self, backbone: Backbone, num_labels: int, rates: Sequence[int] = (6, 12, 18, 24)) -> None:
        super().__init__()
        self.backbone = backbone
        self.branches = nn.ModuleList(
            nn.Conv2d(backbone.channels[-1], num_labels, 3, padding=rate, dilation=rate) for rate in rates
        )
        for branch in self.branches:
            nn.init.normal_(branch.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(branch.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor) -> Tensor:
        """Normalised images `[B, 3, H, W]` to logits `[B, K + 1, h, w]` at the backbone's stride."""
        features = self.backbone(image).final
        logits: Tensor = sum(branch(features) for branch in self.branches)
        return logits
