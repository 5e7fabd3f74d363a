"""Classification alone as a LightningModule: the plain CAM, and the control of every other method."""

from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class Plain(ClassifierTraining):
    """A classifier trained on image tags; its CAM comes for free (Zhou et al., CVPR 2016).

    Args:
        classifier: whose CAM is wanted.
        optimizer: of the classifier.
        micro_batches: a batch goes through the network in this many parts, one after the other (gradient
            accumulation): less memory, the same step.
        max_nonfinite: an update whose loss is not finite changes nothing by its gradient; so many in a row stop the
            run.
    """

    def losses(self, photos: Photos) -> Update:
        """The classification loss."""
        output = self.classifier(photos.seen_by(self.classifier))
        return Update(self.classifier.classification_loss(output, photos.tags), {})
