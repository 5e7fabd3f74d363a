"""SEAM as a LightningModule."""

from typing import Any

from torch.nn import functional as F

from acr_lightning.cam.agreement import agreement
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.refined_cam import RefinedCam
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class SEAM(ClassifierTraining):
    """The CAM of a photo is that of the smaller photo, and each is what spreading makes of the other (CVPR 2020).

    `L = BCE of both sizes + L_ER + L_ECR + quiet`. The spread CAM has no gradient to the classifier, so the classifier
    learns from the classification and `L_ER` alone, the layers that spread from the other two.

    Args:
        classifier: with at least three maps.
        smaller: sides of the second photo, a share of those of the first.
    """

    classifier: RefinedCam

    def __init__(self, classifier: Classifier, smaller: float = 0.3, **training: Any) -> None:
        super().__init__(RefinedCam(classifier), **training)
        self.smaller = smaller

    def losses(self, photos: Photos) -> Update:
        """The classification of both sizes, and how far their CAMs agree."""
        image = self.classifier.normalise(photos.image)
        size = [int(side * self.smaller) for side in image.shape[-2:]]
        small = F.interpolate(image, size, mode="bilinear", align_corners=True)
        both = photos.seen_by(self.classifier), self.classifier.recurring(small)
        outputs = [self.classifier(one) for one in both]
        losses = [self.classifier.classification_loss(output, photos.tags) for output in outputs]
        classification = (losses[0] + losses[1]) / 2
        cam, spread = self.classifier.both_cams(image, outputs[0])
        cam_small, spread_small = self.classifier.both_cams(small, outputs[1])
        terms = agreement((cam, cam_small), (spread, spread_small), photos.tags)
        return Update(classification + sum(terms), {"classification": classification, **terms._asdict()})
