"""The classifier of ReCAM, whose CAM is made with the product of two layers' weights."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.nets.wrapped_classifier import WrappedClassifier


class ReactivatedCam(WrappedClassifier):
    """A classifier and a second linear layer `W_r`; the CAM is a convolution with `W_r ⊙ W_c` (ReCAM, CVPR 2022).

    Args:
        classifier: whose last convolution is `W_c`.
    """

    classifier: ConvolutionalClassifier

    def __init__(self, classifier: ConvolutionalClassifier) -> None:
        super().__init__(classifier)
        self.recognise = nn.Linear(classifier.classify.in_channels, classifier.num_classes, bias=False)

    def pretrained_parameters(self) -> Iterable[nn.Parameter]:
        """All of the classifier's: it was trained before."""
        return self.classifier.parameters()

    def cam(self, image: Any) -> Tensor:  # noqa: D102
        cells, _ = self.classifier.embed(self.recurring(image))
        weight = self.recognise.weight[:, :, None, None] * self.classifier.classify.weight
        return F.conv2d(cells, weight)
