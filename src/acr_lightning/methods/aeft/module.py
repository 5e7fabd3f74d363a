"""AEFT as a LightningModule."""

from typing import Any

from torch import nn
from torch.nn import functional as F

from acr_lightning.methods.aeft.gated_pooling import GatedPooling, class_logits
from acr_lightning.methods.aeft.loss import Triplet, attraction, kept, repulsion
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class AEFT(ClassifierTraining):
    """Class logits from a gated pyramid of the CAM, and erasing as metric learning (ECCV 2022).

    `L = BCE(o, y)`, and from `triplet.start` on `+ 0.2·attraction + 0.15·repulsion`. The gates are not needed for the
    CAM, so stage `cam` gets the classifier without them.

    Args:
        classifier: whose CAM is wanted.
        triplet: when and how the erased and the other photos count.
    """

    compiled_parts = ("classifier", "pooling")

    def __init__(self, classifier: Classifier, triplet: Triplet = Triplet(), **training: Any) -> None:
        super().__init__(classifier, **training)
        self.triplet = triplet
        self.pooling = GatedPooling(classifier.num_classes)

    def trained(self) -> nn.Module:  # noqa: D102
        return nn.ModuleList([self.classifier, self.pooling])

    def losses(self, photos: Photos) -> Update:
        """The classification, and the triplet once its time has come."""
        cam_logits = self.classifier(photos.seen_by(self.classifier)).cam_logits
        pooled = self.pooling(cam_logits)
        classification = F.binary_cross_entropy_with_logits(class_logits(cam_logits, pooled), photos.tags)
        terms = {"classification": classification}
        if self.current_epoch < self.triplet.start:
            return Update(classification, terms)
        size = (photos.image.shape[-2], photos.image.shape[-1])
        mask = kept(cam_logits, photos.tags, size, self.triplet.erase)
        remainder = self.pooling(self.classifier(self.classifier.normalise(photos.image) * mask).cam_logits)
        pull = attraction(pooled, remainder, photos.tags)
        push = repulsion(cam_logits, pooled, photos.tags, photos.drawn, self.triplet.margin)
        loss = classification + self.triplet.attraction * pull + self.triplet.repulsion * push
        return Update(loss, {**terms, "attraction": pull, "repulsion": push})
