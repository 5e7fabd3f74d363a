"""AEFT as a LightningModule."""

from collections.abc import Sequence
from math import ceil
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
    CAM, so stage `cam` gets the classifier without them. As in the release, small batches come before the triplet and
    large ones with it, and the rate is that of small ones to the end, so that it ends near 45 %.

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

    def updates_of(self, photos: Photos) -> Sequence[Photos]:
        """Several of a batch before the triplet."""
        return [photos] if self._in_triplet() else photos.split(self._classified(photos))

    def step_schedules(self) -> None:
        """With the triplet, where a batch is one update instead of several, the rate falls as much more slowly."""
        if not self._in_triplet() or (self.trainer.fit_loop.batch_idx + 1) % self.triplet.updates == 0:
            super().step_schedules()

    def losses(self, photos: Photos) -> Update:
        """The classification, and the triplet once its time has come."""
        cam_logits = self.classifier(photos.seen_by(self.classifier)).cam_logits
        pooled = self.pooling(cam_logits)
        count = self._classified(photos) if self._in_triplet() else len(photos.tags)
        logits = class_logits(cam_logits[:count], pooled[:count])
        classification = F.binary_cross_entropy_with_logits(logits, photos.tags[:count])
        terms = {"classification": classification}
        if not self._in_triplet():
            return Update(classification, terms)
        size = (photos.image.shape[-2], photos.image.shape[-1])
        mask = kept(cam_logits, photos.tags, size, self.triplet.erase)
        remainder = self.pooling(self.classifier(self.classifier.normalise(photos.image) * mask).cam_logits)
        pull = attraction(pooled, remainder, photos.tags)
        push = repulsion(cam_logits, pooled, photos.tags, photos.drawn, self.triplet.margin)
        loss = classification + self.triplet.attraction * pull + self.triplet.repulsion * push
        return Update(loss, {**terms, "attraction": pull, "repulsion": push})

    def _in_triplet(self) -> bool:
        return self.current_epoch >= self.triplet.start

    def _classified(self, photos: Photos) -> int:
        return ceil(len(photos.tags) / self.triplet.updates)
