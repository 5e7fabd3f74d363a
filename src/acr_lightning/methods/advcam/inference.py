"""Stage `cam` by AdvCAM."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import scaled_views
from acr_lightning.errors import UserError
from acr_lightning.methods.advcam.climbing import Climb, climbing_cam


class AdvCAM(CamInference):
    """The CAMs of a photo that is changed so that a class shows more, summed over steps and scales (CVPR 2021).

    It reads the CAM logits of any trained classifier; what a method makes of them for its own CAM is left out. Each
    tagged class takes some four hundred passes forward and as many backward.

    Args:
        checkpoint: of stage `fit`.
        steps: how many CAMs are summed at each scale.
        climb: how photos are changed.

    Raises:
        UserError: there are not as many steps as scales.
    """

    def __init__(
        self, checkpoint: str, steps: Sequence[int] = (13, 27, 27, 27), climb: Climb = Climb(), **reading: Any
    ) -> None:
        super().__init__(checkpoint, **reading)
        if len(steps) != len(self.scales):
            raise UserError(
                f"cam.model.steps: {list(steps)} must have a number for each of scales, {list(self.scales)}"
            )
        self.steps, self.climb = tuple(steps), climb
        self.classifier.requires_grad_(False)

    def read(self, images: Tensor, classes: Sequence[Tensor]) -> Sequence[Tensor]:
        """See `CamInference.read`."""
        # In half precision the gradient of a pixel would be 0.
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(self.device.type, enabled=False):
            photos = zip(images.clone().split(1), classes, strict=True)
            return [self._scores(photo, present.clone()) for photo, present in photos]

    def _scores(self, photo: Tensor, classes: Tensor) -> Tensor:
        """`[P, H, W]` of a normalised photo `[1, 3, H, W]`."""
        total = torch.zeros(len(classes), *photo.shape[-2:], device=photo.device)
        if not len(classes):
            return total
        each = scaled_views(photo, self.scales, self.flip, self.long_side, self.classifier.multiple)
        for views, steps in zip(each, self.steps, strict=True):
            for own, target in zip(total, classes.split(1), strict=True):  # one by one, or memory grows with the tags
                cam = climbing_cam(lambda x: self.classifier(x).cam_logits, views, target, steps, self.climb)
                own += F.interpolate(cam[None, None], own.shape, mode="bilinear", align_corners=False)[0, 0]
        return total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5)
