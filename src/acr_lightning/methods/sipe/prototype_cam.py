"""The classifier of SIPE, whose maps are made to be compared."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from acr_lightning.nets.classifier import ClassifierOutput, ConvolutionalClassifier
from acr_lightning.nets.wrapped_classifier import WrappedClassifier

# Channels made of the last maps, the deepest last.
WIDTHS = (128, 128, 256, 256)


class PrototypeCam(WrappedClassifier):
    """A classifier whose maps are convolutions of its last four ones, or of as many as it has.

    Args:
        classifier: the paper's gives the maps of ResNet50's four stages (`taps: 4`).
    """

    classifier: ConvolutionalClassifier

    def __init__(self, classifier: ConvolutionalClassifier) -> None:
        super().__init__(classifier)
        before = list(classifier.channels)[-len(WIDTHS) :]
        self.channels = WIDTHS[-len(before) :]
        self.sides = nn.ModuleList(
            nn.Conv2d(channels, width, 1, bias=False) for channels, width in zip(before, self.channels, strict=True)
        )

    def forward(self, image: Any) -> ClassifierOutput:  # noqa: D102
        output = super().forward(image)
        return output._replace(features=self.sides_of(output.features))

    def features(self, image: Any) -> Sequence[Tensor]:  # noqa: D102
        return self.sides_of(super().features(image))

    def sides_of(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The convolutions' results of the classifier's maps; no gradient reaches the classifier."""
        last = features[-len(self.sides) :]
        return [side(one.detach()) for side, one in zip(self.sides, last, strict=True)]
