"""The classifier C: a backbone whose last layer is the CAM."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.backbone import Backbone, Taps


class ClassifierOutput(NamedTuple):
    """What any classifier of this project gives.

    Attributes:
        cam_logits: `A`, `[B, K, h, w]`.
        class_logits: the spatial mean of `A`, `[B, K]`.
        taps: the backbone's three feature maps.
    """

    cam_logits: Tensor
    class_logits: Tensor
    taps: Taps


class CamClassifier(nn.Module):
    """Backbone → 1×1 convolution → ReLU → 1×1 convolution = CAM logits; their mean = class logits (FACTS §1).

    Args:
        backbone: the feature extractor.
        num_classes: K, without background.
        width: channels between the two convolutions.
    """

    def __init__(self, backbone: Backbone, num_classes: int, width: int = 256) -> None:
        super().__init__()
        self.backbone = backbone
        self.num_classes = num_classes
        self.reduce = nn.Conv2d(backbone.channels[-1], width, 1, bias=False)
        self.classify = nn.Conv2d(width, num_classes, 1, bias=False)
        for layer in (self.reduce, self.classify):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, image: Tensor) -> ClassifierOutput:
        """Normalised images `[B, 3, H, W]` to CAM, class logits and taps."""
        taps = self.backbone(image)
        cam_logits = self.classify(F.relu(self.reduce(taps.final)))
        return ClassifierOutput(cam_logits, cam_logits.mean(dim=(2, 3)), taps)
