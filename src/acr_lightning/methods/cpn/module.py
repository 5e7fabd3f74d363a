"""CPN as a LightningModule."""

from collections.abc import Sequence
from typing import Any

import torch

from acr_lightning.classes.bounded import PositiveInt
from acr_lightning.methods.cpn.loss import complement
from acr_lightning.methods.cpn.patches import shown_patches
from acr_lightning.methods.cpn.region_cam import RegionCam
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos


class CPN(ClassifierTraining):
    """The CAMs of two complementary halves of a photo add up to the photo's (ICCV 2021).

    `L = BCE of all three + L_TCP + L_CPCR + quiet`. The halves' CAMs and what is spread have no gradient to the
    classifier but that of their classification: it learns from the classification and the first part of `L_TCP`.

    Args:
        classifier: with at least three maps.
        patches: sides of the squares that a photo is halved by, pixels; each photo is given one of them.
        halvings: so many halvings are drawn, of which a photo has one in each step; a frozen backbone's maps of the
            halves are then kept. Null draws each anew.
    """

    classifier: RegionCam

    def __init__(
        self,
        classifier: Classifier,
        patches: Sequence[PositiveInt] = (224, 448),
        halvings: PositiveInt | None = None,
        **training: Any,
    ) -> None:
        super().__init__(RegionCam(classifier), **training)
        self.patches, self.halvings = patches, halvings

    def losses(self, photos: Photos) -> Update:
        """The classification of the photos and of their halves, and how far the halves' CAMs are from adding up."""
        image = self.classifier.normalise(photos.image)
        drawn = photos.drawn if self.halvings is None else (photos.drawn * self.halvings).floor() / self.halvings
        mask = shown_patches(drawn, (image.shape[-2], image.shape[-1]), self.patches).to(image.device)
        # Where a patch is hidden the network sees 0, its mean colour.
        views = image, image * mask, image * (1 - mask)
        again = (lambda view: view) if self.halvings is None else self.classifier.recurring
        inputs = photos.seen_by(self.classifier), *map(again, views[1:])
        outputs = [self.classifier(one) for one in inputs]
        losses = [self.classifier.classification_loss(output, photos.tags) for output in outputs]
        classification = torch.stack(losses).mean()
        cams = [self.classifier.both_cams(view, output) for view, output in zip(views, outputs, strict=True)]
        (cam, spread), (cam_one, spread_one), (cam_two, spread_two) = cams
        terms = complement(
            (cam, cam_one, cam_two), (spread[:, 1:], spread_one[:, 1:], spread_two[:, 1:]), photos.tags,
            mask.mean(dim=(1, 2, 3)),
        )  # fmt: skip
        return Update(classification + sum(terms), {"classification": classification, **terms._asdict()})
