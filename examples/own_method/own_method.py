"""A training method of one's own: what the CAM is sure of is hidden, and the rest must do without the class."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.normalise import normalise_cam
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import AlternatingModule, StepSettings, Update
from acr_lightning.training.optimisation import OptimizerSettings


class Hiding(AlternatingModule):
    """Classification, and what is left of a photo without its CAM must not show the class any more.

    Args:
        classifier: any.
        optimizer: of the classifier.
        step: how a batch becomes a step.
        weight: of the second loss.
    """

    def __init__(
        self,
        classifier: Classifier,
        optimizer: OptimizerSettings = OptimizerSettings(),
        step: StepSettings = StepSettings(),
        weight: float = 0.3,
    ) -> None:
        super().__init__(optimizer, step)
        self.classifier, self.weight = classifier, weight

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch: accumulation, clipping, logging and losses that are not finite are seen to by `update`."""
        size = self.split_evenly(len(batch["image"]))
        parts = list(zip(batch["image"].split(size), batch["tags"].split(size), strict=True))
        self.update("classifier", "hiding", parts, lambda part: self.losses(*part))
        self.step_schedules()

    def losses(self, image: Tensor, tags: Tensor) -> Update:
        """The two losses of photos `[B, 3, H, W]` in `[0, 1]` with tags `[B, K]`."""
        seen = self.classifier.normalise(image)
        output = self.classifier(seen)
        classification = self.classifier.classification_loss(output, tags)
        sure = normalise_cam(output.cam_logits, tags).amax(dim=1, keepdim=True)
        hidden = seen * (1 - F.interpolate(sure, image.shape[-2:], mode="bilinear"))
        left = self.classifier.classification_loss(self.classifier(hidden), torch.zeros_like(tags))
        return Update(classification + self.weight * left, {"classification": classification, "left": left})
