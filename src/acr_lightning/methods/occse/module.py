"""OC-CSE as a LightningModule."""

from typing import Any

from acr_lightning.methods.occse.loss import Erasing, erasing_mask, tags_without
from acr_lightning.nets.checkpoint import load_weights
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.draw_target import draw_target
from acr_lightning.training.photos import Photos


class OCCSE(ClassifierTraining):
    """Class-specific erasing judged by an ordinary classifier, which does not learn (ICCV 2021).

    `L = BCE(G(x), y) + λ·BCE(C(x·(1 − m)), y without t)`, where `m` is G's CAM of one tagged class `t`. The gradient
    reaches G through both; C is in eval mode always.

    Args:
        classifier: G, whose CAM is wanted.
        ordinary: a run, or a checkpoint of stage `fit`, whose classifier is C: trained on the same tags, of G's kind.
        erasing: how a class is erased, and what that weighs.
    """

    compiled_parts = ("classifier", "ordinary")

    def __init__(self, classifier: Classifier, ordinary: str, erasing: Erasing = Erasing(), **training: Any) -> None:
        super().__init__(classifier, **training)
        self.erasing = erasing
        self.ordinary = classifier.again()
        load_weights(self.ordinary, ordinary)
        self.ordinary.requires_grad_(False)

    def losses(self, photos: Photos) -> Update:
        """The loss of the whole photos, and that of the photos without one class."""
        output = self.classifier(photos.seen_by(self.classifier))
        target = draw_target(photos.tags, photos.drawn)
        size = (photos.image.shape[-2], photos.image.shape[-1])
        cam_logits = output.cam_logits * photos.tags[:, :, None, None]  # nothing is erased of a photo without tags
        mask = erasing_mask(cam_logits, target, size, self.erasing.largest_of)
        # Where all is erased the network sees 0, its mean colour.
        rest = self.ordinary.eval()(self.ordinary.normalise(photos.image) * (1 - mask))
        whole = self.classifier.classification_loss(output, photos.tags)
        remainder_loss = self.ordinary.classification_loss(rest, tags_without(photos.tags, target))
        terms = {"whole": whole, "erased": remainder_loss}
        return Update(whole + self.erasing.weight(self.current_epoch) * remainder_loss, terms)
