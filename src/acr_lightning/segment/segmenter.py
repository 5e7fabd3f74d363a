"""The segmentation network as a LightningModule, trained on pseudo-labels."""

from typing import Any

import torch
from torch.nn import functional as F

from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import load_weights
from acr_lightning.nets.deeplab import DeepLab, HeadName
from acr_lightning.segment.loss import LossName, pixel_groups, segmentation_loss
from acr_lightning.training.alternating import AlternatingModule, Update
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.whole_batch import mean_of_processes


class Segmenter(AlternatingModule):
    """DeepLab on any backbone, cross entropy on pseudo-labels (see docs/segment.md).

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or ViT, or `resnet38d`.
        weights: ImageNet weights: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        freeze_batchnorm: keep the backbone's BatchNorm as it is; set false for a network that starts from random
            weights.
        freeze_backbone: train the head alone.
        head: `v1_large_fov`, `v2` (summed ASPP), `v3plus`, `v3plus_separable`; the light ones `linear`, `upsample`.
        rates: dilations of the head; null takes the published ones.
        loss: `cross_entropy`, or `balanced` between background and foreground.
        optimizer: of the network; the head's layers are new ones.
        blocks: of a ViT, whose patch tokens are its maps, counted from 1; null is the last of each third.
        initial: a checkpoint of stage `segment` whose network this one goes on from; null starts anew.
    """

    compiled_parts = ("network",)
    described = "network"

    def __init__(
        self,
        num_classes: int,
        backbone: str = "resnet101",
        weights: str | None = None,
        output_stride: int | None = 8,
        freeze_batchnorm: bool = True,
        freeze_backbone: bool = False,
        head: HeadName = "v2",
        rates: tuple[int, ...] | None = None,
        loss: LossName = "cross_entropy",
        optimizer: OptimizerSettings = OptimizerSettings(lr=2.5e-4),
        blocks: tuple[int, ...] | None = None,
        initial: str | None = None,
    ) -> None:
        super().__init__(optimizer)
        self.loss = loss
        features = Backbone(backbone, weights, output_stride, freeze_batchnorm, blocks=blocks)
        if freeze_backbone:  # and otherwise frozen BatchNorm stays frozen
            features.requires_grad_(False)
        self.network = DeepLab(features, num_classes + 1, head, rates)
        if initial is not None:
            load_weights(self.network, initial)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch."""
        self.update("network", "segment", [batch], self.losses)
        self.step_schedules()

    def losses(self, batch: dict[str, Any]) -> Update:
        """The loss at the labels' size; 255 is not counted."""
        logits = self.network(self.network.backbone.normalise(batch["image"]))
        logits = F.interpolate(logits, batch["label"].shape[-2:], mode="bilinear", align_corners=False)
        groups = pixel_groups(batch["label"], self.loss)
        counts = torch.stack([group.sum() for group in groups]).float()
        mean_of_processes(counts)
        return Update(segmentation_loss(logits, batch["label"], groups, counts), {})
