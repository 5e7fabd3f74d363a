"""A classifier with layers of a method around it: trained, kept and asked for its CAM as one."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from acr_lightning.nets.classifier import Classifier, ClassifierOutput


class WrappedClassifier(Classifier):
    """Behaves as the classifier inside; subclasses add layers, and a CAM of their own."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.num_classes, self.channels, self.multiple = (
            classifier.num_classes,
            classifier.channels,
            classifier.multiple,
        )

    def forward(self, image: Any) -> ClassifierOutput:  # noqa: D102
        output: ClassifierOutput = self.classifier(image)
        return output

    def normalise(self, image: Tensor) -> Tensor:  # noqa: D102
        return self.classifier.normalise(image)

    def classification_loss(self, output: ClassifierOutput, tags: Tensor) -> Tensor:  # noqa: D102
        return self.classifier.classification_loss(output, tags)

    def features(self, image: Any) -> Sequence[Tensor]:  # noqa: D102
        return self.classifier.features(image)


def inside(classifier: Classifier) -> Classifier:
    """The classifier without what is wrapped around it."""
    return inside(classifier.classifier) if isinstance(classifier, WrappedClassifier) else classifier
