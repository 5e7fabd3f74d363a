"""Classification alone as a LightningModule: the plain CAM, and the control of every other method."""

from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class Plain(ClassifierTraining):
    """A classifier trained on image tags; its CAM comes for free (Zhou et al., CVPR 2016)."""

    def losses(self, photos: Photos) -> Update:
        """The classification loss."""
        output = self.classifier(photos.seen_by(self.classifier))
        return Update(self.classifier.classification_loss(output, photos.tags), {})
