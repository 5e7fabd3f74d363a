"""The classifier of SIPE, which also gives vectors by which its cells are compared."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.nets.wrapped_classifier import WrappedClassifier

# Channels made of the last maps, the deepest last.
WIDTHS = (128, 128, 256, 256)
EPSILON = 1e-5


class PrototypeCam(WrappedClassifier):
    """A classifier and a convolution on each of its last four maps, or of as many as it has.

    Args:
        classifier: the paper's gives the maps of ResNet50's four stages (`taps: 4`).
    """

    classifier: ConvolutionalClassifier

    def __init__(self, classifier: ConvolutionalClassifier) -> None:
        super().__init__(classifier)
        channels = list(classifier.channels)[-len(WIDTHS) :]
        self.sides = nn.ModuleList(
            nn.Conv2d(before, width, 1, bias=False)
            for before, width in zip(channels, WIDTHS[-len(channels) :], strict=True)
        )

    def vectors(self, features: Sequence[Tensor], size: torch.Size) -> Tensor:
        """`H`: the maps, each made of vectors of length 1, on one grid; no gradient reaches the classifier.

        Args:
            features: of the classifier.
            size: height and width of its CAM.

        Returns:
            `[B, D, h, w]`.
        """
        made = []
        for side, one in zip(self.sides, features[-len(self.sides) :], strict=True):
            vectors = side(one.detach()).float()
            vectors = vectors / (vectors.norm(dim=1, keepdim=True) + EPSILON)
            made.append(F.interpolate(vectors, size, mode="bilinear", align_corners=False))
        return torch.cat(made, dim=1)
