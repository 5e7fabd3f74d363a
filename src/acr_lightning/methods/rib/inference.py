"""Stage `cam` by RIB."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.multiscale import scaled_views
from acr_lightning.errors import UserError
from acr_lightning.methods.rib.finetuning import Finetuning, covered, unshown_scores
from acr_lightning.methods.rib.other_photos import OtherPhotos


class RIB(CamInference):
    """The CAMs of a classifier that is finetuned on each photo by itself, summed over steps and scales (NeurIPS 2021).

    It reads the CAM logits of any trained classifier; what a method makes of them for its own CAM is left out. Each
    photo takes up to ten steps of a training with some thirty images.

    Args:
        checkpoint: of stage `fit`.
        finetuning: how; scales from 1 up are trained on.

    Raises:
        UserError: no scale is 1.
    """

    def __init__(self, checkpoint: str, finetuning: Finetuning = Finetuning(), **reading: Any) -> None:
        super().__init__(checkpoint, **reading)
        if 1 not in self.scales:  # by it is told how much a CAM covers
            raise UserError(f"cam.model.scales: {list(self.scales)} must have 1.0, at which it is told when to stop")
        self.finetuning = finetuning
        self.others: OtherPhotos | None = None

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, Tensor, Tensor]]:
        """Photos of one size: of each its id, the tagged classes `[P]` and their scores `[P, H, W]` in `[0, 1]`."""
        results = []
        for sample in samples:
            classes = sample["tags"].nonzero().flatten()
            with torch.inference_mode(False), torch.enable_grad(), torch.autocast(self.device.type, enabled=False):
                image, tags = sample["image"].clone(), sample["tags"].clone()
                scores = self._scores(sample["id"], image, tags) if len(classes) else image[:0]
            results.append((sample["id"], classes, scores**self.power))
        return results

    def _scores(self, image_id: str, image: Tensor, tags: Tensor) -> Tensor:
        """`[P, H, W]` of a photo `[3, H, W]` in `[0, 1]`; the classifier is as before afterwards."""
        parameters = [one for one in self.classifier.parameters() if one.requires_grad]
        before = [one.detach().clone() for one in parameters]
        try:
            total = self._finetuned_cam(self.classifier.normalise(image[None]), tags, self._others(image_id, tags))
        finally:
            with torch.no_grad():
                for one, value in zip(parameters, before, strict=True):
                    one.copy_(value)
            self.classifier.zero_grad()
        return total / (total.amax(dim=(1, 2), keepdim=True) + 1e-5)

    def _others(self, image_id: str, tags: Tensor) -> Iterator[list[dict[str, Any]]]:
        settings = self.finetuning
        if self.others is None:
            dataset = self.trainer.datamodule.dataset  # type: ignore[attr-defined]
            self.others = OtherPhotos(dataset, settings.crop, settings.long_side)
        return self.others.than(image_id, tags.cpu(), settings.others)

    def _finetuned_cam(self, photo: Tensor, tags: Tensor, others: Iterator[list[dict[str, Any]]]) -> Tensor:
        """The sum of the tagged classes' CAMs `[P, H, W]` over all steps; each comes before its step."""
        settings = self.finetuning
        optimizer = settings.optimizer().build(self.classifier)
        schedule = settings.optimizer().build_schedule(optimizer, settings.steps)
        total = photo.new_zeros(int(tags.sum()), *photo.shape[-2:])
        for step in range(1, settings.steps + 1):
            optimizer.zero_grad()
            score, share = self._add_photo(photo, tags, total)
            # The classifier as it was trained may cover what it likes.
            enough = abs(score) > settings.most_score or (step > 1 and share > settings.most_covered)
            if enough or step == settings.steps:
                break
            self._add_others(next(others))
            optimizer.step()
            schedule.step()
        return total

    def _add_photo(self, photo: Tensor, tags: Tensor, total: Tensor) -> tuple[float, float]:
        """Add the photo's CAMs to the sum, and its gradient to the classifier's; its score, and the share covered."""
        score, share = 0.0, 0.0
        each = scaled_views(photo, self.scales, self.flip, self.long_side, self.classifier.multiple)
        for scale, views in zip(self.scales, each, strict=True):
            with torch.set_grad_enabled(scale >= 1):
                cam_logits = self.classifier(self.classifier.recurring(views)).cam_logits.float()
            cams = F.relu(cam_logits.detach()[:, tags > 0])
            cams = torch.cat([cams[:1], cams[1:].flip(-1)])
            total += F.interpolate(cams, photo.shape[-2:], mode="bilinear", align_corners=False).sum(dim=0)
            if scale >= 1:
                loss = -unshown_scores(cam_logits, tags.expand(len(views), -1), self.finetuning.shown).sum()
                loss.backward()
                score += loss.item()
            if scale == 1:
                share = covered(cams.sum(dim=0), self.finetuning.covers).item()
        return score, share

    def _add_others(self, samples: list[dict[str, Any]]) -> None:
        """Add the gradient of photos of other classes, which keeps the classifier from showing the class anywhere."""
        size = self.finetuning.others_per_pass
        for start in range(0, len(samples), size):
            part = samples[start : start + size]
            images = torch.stack([sample["image"] for sample in part]).to(self.device)
            tags = torch.stack([sample["tags"] for sample in part]).to(self.device)
            cam_logits = self.classifier(self.classifier.normalise(images)).cam_logits.float()
            (-unshown_scores(cam_logits, tags, self.finetuning.shown).sum()).backward()
