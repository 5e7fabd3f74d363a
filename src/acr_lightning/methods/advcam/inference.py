"""Stage `cam` by AdvCAM."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import scaled_views
from acr_lightning.classes.bounded import PositiveFloat
from acr_lightning.errors import UserError
from acr_lightning.methods.advcam.climbing import Climb, climbing_cam


class AdvCAM(CamInference):
    """The CAMs of a photo that is changed so that a class shows more, summed over steps and scales (CVPR 2021).

    It reads the CAM logits of any trained classifier; what a method makes of them for its own CAM is left out. Each
    tagged class takes some four hundred passes forward and as many backward.

    Args:
        checkpoint: of stage `fit`.
        scales: factors of the base size.
        steps: how many CAMs are summed at each scale.
        climb: how photos are changed.
        flip: whether mirror images are added.
        long_side: resize photos to this long side first (the base size); null keeps their size.
        allow: packages of whose code a checkpoint may name a classifier, beside this one; those that the experiment
            itself names are.

    Raises:
        UserError: there are not as many steps as scales.
    """

    def __init__(
        self,
        checkpoint: str,
        scales: Sequence[PositiveFloat] = (0.5, 1.0, 1.5, 2.0),
        steps: Sequence[int] = (13, 27, 27, 27),
        climb: Climb = Climb(),
        flip: bool = True,
        long_side: int | None = None,
        allow: Sequence[str] = (),
    ) -> None:
        super().__init__(checkpoint, scales, flip, long_side, allow)
        if len(steps) != len(self.scales):
            raise UserError(f"cam.model.steps: {list(steps)} must have a number for each of scales, {list(scales)}")
        self.steps, self.climb = tuple(steps), climb
        self.classifier.requires_grad_(False)

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, Tensor, Tensor]]:
        """Photos of one size: of each its id, the tagged classes `[P]` and their scores `[P, H, W]` in `[0, 1]`."""
        made = []
        for sample in samples:
            classes = sample["tags"].nonzero().flatten()
            # Of half precision the gradient of a pixel would be 0.
            with torch.inference_mode(False), torch.enable_grad(), torch.autocast(self.device.type, enabled=False):
                made.append((sample["id"], classes, self._scores(sample["image"].clone(), classes.clone())))
        return made

    def _scores(self, image: Tensor, classes: Tensor) -> Tensor:
        """`[P, H, W]` of a photo `[3, H, W]` in `[0, 1]`."""
        total = torch.zeros(len(classes), *image.shape[-2:], device=image.device)
        if not len(classes):
            return total
        photo = self.classifier.normalise(image[None])
        each = scaled_views(photo, self.scales, self.flip, self.long_side, self.classifier.multiple)
        for views, steps in zip(each, self.steps, strict=True):
            cams = climbing_cam(lambda x: self.classifier(x).cam_logits, views, classes, steps, self.climb)
            total += F.interpolate(cams[None], image.shape[-2:], mode="bilinear", align_corners=False)[0]
        return total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5)
