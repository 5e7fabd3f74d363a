"""The classifier out of a checkpoint, without its training."""

from pathlib import Path
from typing import NamedTuple

from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import load_part, read_checkpoint
from acr_lightning.nets.classifier import CamClassifier


class ClassifierConfig(NamedTuple):
    """All that it takes to build the classifier; see `ACR` for the meaning."""

    num_classes: int
    backbone: str
    output_stride: int | None
    freeze_batchnorm: bool

    def build(self, weights: str | None = None) -> CamClassifier:
        """A new classifier; `weights` as in `Backbone`."""
        backbone = Backbone(self.backbone, weights, self.output_stride, self.freeze_batchnorm, conv_head=True)
        return CamClassifier(backbone, self.num_classes)


def load_classifier(path: str | Path) -> CamClassifier:
    """The trained classifier of an `ACR` checkpoint, in eval mode.

    Raises:
        UserError: the file is missing, damaged, or no ACR checkpoint.
    """
    checkpoint = read_checkpoint(path, "classifier_config", made_by="acr fit")
    classifier = ClassifierConfig(**checkpoint["classifier_config"]).build()
    load_part(classifier, checkpoint, "classifier")
    return classifier.eval()
