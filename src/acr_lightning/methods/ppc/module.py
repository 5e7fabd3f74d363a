"""PPC as a LightningModule."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from acr_lightning.cam.agreement import agreement
from acr_lightning.methods.ppc.cells import Cells, cells_of
from acr_lightning.methods.ppc.contrast import Contrast, contrast
from acr_lightning.nets.classifier import ConvolutionalClassifier
from acr_lightning.nets.refined_cam import RefinedCam
from acr_lightning.training.alternating import Update
from acr_lightning.training.classifier_training import ClassifierTraining
from acr_lightning.training.photos import Photos
from acr_lightning.training.step_seed import photo_generators
from acr_lightning.training.whole_batch import of_whole_batch


class PPC(ClassifierTraining):
    """SEAM's losses, and a contrast of the cells of both sizes with the prototypes of the batch's classes (CVPR 2022).

    The contrast trains the classifier; prototypes, labels and the spread CAM that they come from have no gradient. The
    projection in which cells are compared is part of the training alone.

    Args:
        classifier: its CAM is a convolution, and it has at least three maps.
        smaller: sides of the second photo, a share of those of the first.
        contrast: how cells are compared.
    """

    classifier: RefinedCam
    compiled_parts = ("classifier.classifier.backbone.net", "projection")  # the losses begin inside of the classifier

    def __init__(
        self,
        classifier: ConvolutionalClassifier,
        smaller: float = 2 / 7,
        contrast: Contrast = Contrast(),
        **training: Any,
    ) -> None:
        super().__init__(RefinedCam(classifier), **training)
        self.smaller, self.contrast = smaller, contrast
        self.projection = nn.Conv2d(classifier.classify.in_channels, contrast.width, 1, bias=False)
        nn.init.kaiming_normal_(self.projection.weight)

    def trained(self) -> nn.Module:  # noqa: D102
        return nn.ModuleList([self.classifier, self.projection])

    def losses(self, photos: Photos) -> Update:
        """The classification of both sizes, how far their CAMs agree, and how far cells are from their prototypes."""
        inner, tags, settings = self.classifier.classifier, photos.tags, self.contrast
        assert isinstance(inner, ConvolutionalClassifier)
        image = self.classifier.normalise(photos.image)
        size = [round(side * self.smaller) for side in image.shape[-2:]]
        small = F.interpolate(image, size, mode="bilinear", align_corners=True)
        classifications, cams, spreads, cells = [], [], [], []
        for view, seen in ((image, photos.seen_by(self.classifier)), (small, self.classifier.recurring(small))):
            maps, features = inner.embed(seen)
            output = inner.classified(maps, features)
            classifications.append(inner.classification_loss(output, tags))
            cam, spread = self.classifier.both_cams(view, output)
            cams.append(cam)
            spreads.append(spread)
            vectors = F.relu(self.projection(maps))
            device_cells = cells_of(vectors, spread[:, 1:], tags, settings.grid, settings.background)
            cells.append(Cells(*(of_whole_batch(rows) for rows in device_cells)))
        classification = torch.stack(classifications).mean()
        terms = agreement((cams[0], cams[1]), (spreads[0], spreads[1]), tags)
        noise = [torch.rand(settings.grid**2, generator=one) for one in photo_generators(photos.drawn)]
        more = contrast(cells[0], cells[1], of_whole_batch(torch.cat(noise).to(self.device)), settings)
        loss = classification + sum(terms) + settings.weight * sum(more)
        return Update(loss, {"classification": classification, **terms._asdict(), **more._asdict()})
