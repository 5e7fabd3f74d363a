"""SIPE as a LightningModule."""

from typing import Any

from torch.nn import functional as F

from acr_lightning.cam.prototypes import prototype_maps, seeds, stretched, unit_vectors, with_background
from acr_lightning.methods.sipe.prototype_cam import PrototypeCam
from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class SIPE(ClassifierTraining):
    """A photo's CAM and the maps of its own prototypes are to agree (CVPR 2022).

    `L = BCE(cls, y) + mean |N − I|`. The CAM `N` teaches the classifier, the prototypes' maps `I` the convolutions that
    cells are compared by. Stage `cam` reads it with `PrototypeInference`.

    Args:
        classifier: its CAM is a convolution; the paper's has `taps: 4`.
    """

    classifier: PrototypeCam
    compiled_parts = ("classifier.classifier.backbone.net",)  # the losses begin inside of the classifier

    def __init__(self, classifier: ConvolutionalClassifier, **training: Any) -> None:
        super().__init__(PrototypeCam(classifier), **training)

    def losses(self, photos: Photos) -> Update:
        """The classification, and how far the CAM and the prototypes' maps agree."""
        inner = self.classifier.classifier
        cells, features = inner.embed(photos.seen_by(inner))
        output = inner.classified(cells, features)
        size = output.cam_logits.shape[-2:]
        mask = F.pad(photos.tags, (1, 0), value=1.0)[:, :, None, None]
        if photos.valid is not None:
            mask = mask * F.interpolate(photos.valid[:, None].float(), size, mode="nearest")
        maps = with_background(output.cam_logits, mask)
        near = prototype_maps(seeds(maps, cells, mask), unit_vectors(self.classifier.sides_of(features), size))
        classification = inner.classification_loss(output, photos.tags)
        consistency = (maps - stretched(near)).abs().mean()
        return Update(classification + consistency, {"classification": classification, "consistency": consistency})
