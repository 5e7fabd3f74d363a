"""ReCAM as a LightningModule."""

from typing import Any

from acr_lightning.methods.recam.loss import class_features, reactivation_loss
from acr_lightning.methods.recam.reactivated import ReactivatedCam
from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class ReCAM(ClassifierTraining):
    """A trained classifier goes on with a softmax between the tags of a photo (CVPR 2022).

    `L = BCE(cls, y) + λ·CE(W_r v_k, k)`, the mean over the tagged classes `k`, where `v_k` is the mean of the cells
    that the CAM of `k` covers.

    Args:
        classifier: that goes on; its CAM is a convolution.
        weight: λ; 1 for VOC and 0.1 for COCO in the release.
    """

    classifier: ReactivatedCam
    compiled_parts = ("classifier.classifier.backbone.net",)  # the losses begin inside of the classifier

    def __init__(self, classifier: ConvolutionalClassifier, weight: float = 1.0, **training: Any) -> None:
        super().__init__(ReactivatedCam(classifier), **training)
        self.weight = weight

    def losses(self, photos: Photos) -> Update:
        """The classification of the photos, and that of what each tag's CAM covers."""
        inner = self.classifier.classifier
        cells, features = inner.embed(photos.seen_by(inner))
        output = inner.classified(cells, features)
        classification = inner.classification_loss(output, photos.tags)
        class_logits = self.classifier.recognise(class_features(output.cam_logits, cells))
        reactivation = reactivation_loss(class_logits.float(), photos.tags)
        terms = {"classification": classification, "reactivation": reactivation}
        return Update(classification + self.weight * reactivation, terms)
