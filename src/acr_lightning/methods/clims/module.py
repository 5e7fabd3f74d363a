"""CLIMS as a LightningModule."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.methods.clims.judge import Judge
from acr_lightning.methods.clims.loss import Matching, like, like_any, over_photos, unlike
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.clip import Clip
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class CLIMS(ClassifierTraining):
    """What the CAM shows must look like its tag to CLIP, and what it hides must not (CVPR 2022).

    `L = α·L_shown + β·L_hidden + γ·L_beside + δ·mean S`, where `S = σ(A)` weighs the pixels of the photo.

    Args:
        classifier: whose CAM is wanted.
        clip: the judge; its weights are your own.
        matching: the weights.
    """

    def __init__(self, classifier: Classifier, clip: Clip, matching: Matching = Matching(), **training: Any) -> None:
        super().__init__(classifier, **training)
        self.clip, self.matching = clip, matching

    def setup(self, stage: str) -> None:
        """Let the judge read the names of the data set's classes."""
        super().setup(stage)
        self.judge = Judge(self.clip, self.trainer.datamodule.dataset.class_names)  # type: ignore[attr-defined]

    def losses(self, photos: Photos) -> Update:
        """What CLIP says of each tag's object, shown alone and hidden."""
        judge, weights = self.judge.to(self.device), self.matching
        cam = self.classifier(photos.seen_by(self.classifier)).cam_logits.float().sigmoid()
        photo, tag = photos.tags.nonzero(as_tuple=True)
        # Normalised as the classifier's, not as CLIP's own; what is hidden is the mean colour. Both are the release's.
        pixels = _resized(self.classifier.normalise(photos.image), judge.size)[photo]
        mask = _resized(cam[photo, tag][:, None], judge.size)
        inside, outside = judge(torch.cat([pixels * mask, pixels * (1 - mask)])).chunk(2)
        text = judge.classes[tag]
        costs = {
            "shown": like((inside * text).sum(dim=1)),
            "hidden": unlike((outside * text).sum(dim=1)),
            "beside": like_any(inside @ judge.background.T, weights.alike) * photos.tags.sum(dim=1)[photo],
        }
        terms = {name: over_photos(each, photos.tags) for name, each in costs.items()} | {"area": cam.mean()}
        return Update(sum(getattr(weights, name) * term for name, term in terms.items()), terms)


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)
