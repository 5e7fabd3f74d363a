"""The segmentation network as a LightningModule, trained on pseudo-labels."""

from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.deeplab import DeepLab, HeadName
from acr_lightning.segment.loss import LossName, pixel_groups, segmentation_loss
from acr_lightning.training.optimisation import OptimizerName, make_optimizer, parameter_groups, poly_schedule


class Segmenter(LightningModule):
    """DeepLab on any backbone, cross entropy on pseudo-labels, poly schedule by iteration (see docs/segment.md).

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or ViT, or `resnet38d`.
        weights: ImageNet weights: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        freeze_batchnorm: keep the backbone's BatchNorm as it is; set false for a network that starts from random
            weights (and `trainer.sync_batchnorm: true` on several devices).
        freeze_backbone: train the head alone.
        head: `v1_large_fov`, `v2` (summed ASPP) or `v3plus`; the light ones `linear` and `upsample`.
        rates: dilations of the head; null takes the published ones.
        loss: `cross_entropy`, or `balanced` between background and foreground.
        optimizer: `sgd` or `adamw`.
        lr: of pretrained weights; biases get twice as much.
        new_layer_factor: times `lr` for the head.
        momentum: of SGD.
        weight_decay: of weights; biases, LayerNorm, tokens and embeddings have none.
        blocks: of a ViT, whose patch tokens are its maps, counted from 1; null is the last of each third.
        layer_decay: times the rate of pretrained weights for every block between them and the end of a ViT.
    """

    compiled_parts = ("network",)

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
        optimizer: OptimizerName = "sgd",
        lr: float = 2.5e-4,
        new_layer_factor: float = 10.0,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        blocks: tuple[int, ...] | None = None,
        layer_decay: float = 1.0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options: Any = self.hparams  # the arguments above, by name
        features = Backbone(backbone, weights, output_stride, freeze_batchnorm, blocks=blocks)
        if freeze_backbone:  # and otherwise frozen BatchNorm stays frozen
            features.requires_grad_(False)
        self.network = DeepLab(features, num_classes + 1, head, rates)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """The loss at the labels' size; 255 is not counted."""
        logits = self.network(self.network.backbone.normalise(batch["image"]))
        logits = F.interpolate(logits, batch["label"].shape[-2:], mode="bilinear", align_corners=False)
        groups = pixel_groups(batch["label"], self.options.loss)
        counts = torch.stack([group.sum() for group in groups]).float()
        counts = self.trainer.strategy.reduce(counts, reduce_op="mean")
        loss = segmentation_loss(logits, batch["label"], groups, counts)
        self.log("segment/loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser; the poly schedule steps once a batch."""
        options = self.options
        groups = parameter_groups(
            self.network, self.network.backbone.parameters(), options.lr, options.weight_decay,
            options.new_layer_factor, layer_decay=options.layer_decay,
        )  # fmt: skip
        optimizer = make_optimizer(options.optimizer, groups, options.momentum)
        schedule = poly_schedule(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what it takes to build and to use the network without this module and without the data set."""
        describe_in(checkpoint, self.network, "network")
        checkpoint["class_names"] = list(self.trainer.datamodule.dataset.class_names)  # type: ignore[attr-defined]
