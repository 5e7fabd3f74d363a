"""ACR as a LightningModule: RU and CU in turn at every batch, by manual optimisation."""

from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from acr_lightning.acr.cam import draw_target, target_segment, target_wins
from acr_lightning.acr.checkpoint import ClassifierConfig
from acr_lightning.acr.cu_loss import CULoss, cu_loss
from acr_lightning.acr.phases import Strategy, phase
from acr_lightning.acr.ru_loss import RULoss, removed_parts, ru_loss
from acr_lightning.acr.srf import removal_mask, removal_probability
from acr_lightning.errors import UserError
from acr_lightning.nets.reconstructor import Reconstructor
from acr_lightning.training.optimisation import OptimizerName, make_optimizer, parameter_groups, poly_schedule


class ACR(LightningModule):
    """Adversarial learning of classifier and reconstructor (CVPR 2023); `strategy: baseline` is the plain CAM.

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm CNN or `resnet38d`, for the classifier and, as a copy of its own, for the reconstructor.
        weights: ImageNet weights: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        freeze_batchnorm: keep BatchNorm as it is; set false for a network that starts from random weights.
        strategy: `adversarial` (the paper's), `pretrained` (three phases) or `baseline` (no reconstructor).
        classifier_epochs: epochs in which the classifier trains alone, first.
        reconstructor_epochs: epochs in which the reconstructor trains alone, after those.
        srf: cells a side of stochastic random feeding's grid; null turns it off.
        srf_start: share of the cells removed in the first epoch.
        srf_growth: what is added to it each epoch.
        ru_whole: weight of RU's reconstruction from all features.
        ru_target: weight of RU's error inside the removed target.
        ru_non_target: weight of RU's error inside the removed non-target.
        cu_target: weight of `L_t`.
        cu_non_target: weight of `L_nt`.
        cu_outside: `L_t` is scored where S is at most this; 0 in the paper.
        decoder_depth: halvings in the decoder; its input must be a multiple of `2**depth`.
        decoder_width: channels after the decoder's first halving.
        decoder_stride: the decoder works at 1/stride of the crop.
        optimizer: `sgd` or `adamw`, one for each network.
        lr: of pretrained weights; biases get twice as much.
        new_layer_factor: times `lr` for layers that start from random weights.
        momentum: of SGD.
        weight_decay: of weights; biases have none.
        gradient_clip: largest gradient norm of each network; null leaves gradients alone.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "resnet38d",
        weights: str | None = None,
        output_stride: int | None = None,
        freeze_batchnorm: bool = True,
        strategy: Strategy = "adversarial",
        classifier_epochs: int = 0,
        reconstructor_epochs: int = 0,
        srf: int | None = 16,
        srf_start: float = 0.2,
        srf_growth: float = 0.01,
        ru_whole: float = 0.2,
        ru_target: float = 0.3,
        ru_non_target: float = 0.5,
        cu_target: float = 0.8,
        cu_non_target: float = 0.3,
        cu_outside: float = 0.0,
        decoder_depth: int = 8,
        decoder_width: int = 64,
        decoder_stride: int = 1,
        optimizer: OptimizerName = "sgd",
        lr: float = 0.01,
        new_layer_factor: float = 10.0,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        gradient_clip: float | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options: Any = self.hparams  # the arguments above, by name
        self.automatic_optimization = False
        if strategy == "pretrained" and not (classifier_epochs and reconstructor_epochs):
            raise UserError("strategy: pretrained needs classifier_epochs and reconstructor_epochs of at least 1")
        self.classifier_config = ClassifierConfig(num_classes, backbone, output_stride, freeze_batchnorm)
        self.classifier = self.classifier_config.build(weights)
        self.reconstructor: Reconstructor | None = None
        if strategy != "baseline":
            encoder = self.classifier_config.build(weights)
            self.reconstructor = Reconstructor(encoder, decoder_depth, decoder_width, decoder_stride)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch: RU, then CU, as the epoch's phase has it."""
        options = self.options
        now = phase(options.strategy, self.current_epoch, options.classifier_epochs, options.reconstructor_epochs)
        image, tags = self.classifier.backbone.normalise(batch["image"]), batch["tags"]
        target = draw_target(tags)
        optimizers = _as_list(self.optimizers())
        if now.reconstructor:
            with self.toggled_optimizer(optimizers[1]):
                ru = self.reconstructor_update(image, tags, target)
                self._step(
                    optimizers[1], "ru", ru, ru.total(options.ru_whole, options.ru_target, options.ru_non_target)
                )
        if now.classifier:
            with self.toggled_optimizer(optimizers[0]):
                cu = self.classifier_update(image, tags, target if now.adversarial else None)
                self._step(optimizers[0], "cu", cu, cu.total(options.cu_target, options.cu_non_target))
        for schedule in cast(list[LRScheduler], _as_list(self.lr_schedulers())):
            schedule.step()

    def reconstructor_update(self, image: Tensor, tags: Tensor, target: Tensor) -> RULoss:
        """RU's terms: the classifier is frozen and in eval mode, its CAM has no gradient.

        Args:
            image: normalised, `[B, 3, H, W]`.
            tags: `[B, K]` of 0 and 1.
            target: one tagged class per image, `[B]`.
        """
        reconstructor, options = self._reconstructor(), self.options
        self.classifier.eval()
        reconstructor.train()
        size = reconstructor.working_size(image)
        with torch.no_grad():
            segment = target_segment(self.classifier(image).cam_logits, tags, target, size)
        removal = None
        if options.srf is not None:
            probability = removal_probability(self.current_epoch, options.srf_start, options.srf_growth)
            removal = removal_mask(len(image), size, options.srf, probability, image.device)
        removed_target, removed_non_target = removed_parts(segment, removal)
        features, class_logits = reconstructor.encode(image)
        # One batched call: whole (the encoder gets no gradient from it), without target, without non-target.
        fed = torch.cat([features.detach(), features * (1 - removed_target), features * (1 - removed_non_target)])
        whole, without_target, without_non_target = reconstructor.decode(fed).chunk(3)
        return ru_loss(
            class_logits, tags, _resized(image, size), whole, without_target, without_non_target,
            removed_target, removed_non_target,
        )  # fmt: skip

    def classifier_update(self, image: Tensor, tags: Tensor, target: Tensor | None) -> CULoss:
        """CU's terms: the reconstructor is frozen and in eval mode, its features have no gradient.

        Args:
            image: normalised, `[B, 3, H, W]`.
            tags: `[B, K]` of 0 and 1.
            target: one tagged class per image, `[B]`; None leaves the classification loss alone (the other terms are
                then 0).
        """
        self.classifier.train()
        cam_logits, class_logits, _ = self.classifier(image)
        if target is None:
            zero = class_logits.new_zeros(())
            return CULoss(F.binary_cross_entropy_with_logits(class_logits, tags), zero, zero)
        reconstructor = self._reconstructor()
        reconstructor.eval()
        size = reconstructor.working_size(image)
        with torch.no_grad():
            features, _ = reconstructor.encode(image)
        segment = target_segment(cam_logits, tags, target, size)
        from_target, from_non_target = reconstructor.decode(
            torch.cat([features * segment, features * (1 - segment)])
        ).chunk(2)
        return cu_loss(
            class_logits, tags, _resized(image, size), from_target, from_non_target, segment,
            target_wins(cam_logits, target, size), self.options.cu_outside,
        )  # fmt: skip

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        """An optimiser and a poly schedule for each network; checkpoints keep both."""
        options = self.options
        parts: list[tuple[nn.Module, nn.Module]] = [(self.classifier, self.classifier.backbone)]
        if self.reconstructor is not None:
            parts.append((self.reconstructor, self.reconstructor.encoder.backbone))
        optimizers = []
        for module, backbone in parts:
            groups = parameter_groups(module, backbone, options.lr, options.weight_decay, options.new_layer_factor)
            optimizers.append(make_optimizer(options.optimizer, groups, options.momentum))
        # With `max_epochs` this is the number of batches (with `max_steps` it would count each optimiser's steps).
        total = int(self.trainer.estimated_stepping_batches)
        return optimizers, [poly_schedule(optimizer, total) for optimizer in optimizers]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip here: only here are the gradients unscaled in 16-mixed."""
        if self.options.gradient_clip is not None:
            self.clip_gradients(optimizer, self.options.gradient_clip, gradient_clip_algorithm="norm")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what `load_classifier` needs to build the classifier without this module."""
        checkpoint["classifier_config"] = self.classifier_config._asdict()

    def _step(self, optimizer: LightningOptimizer, name: str, terms: RULoss | CULoss, loss: Tensor) -> None:
        """One update of one network, with its terms logged."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()
        self.log(name, loss.detach(), prog_bar=True)
        self.log_dict({f"{name}/{term}": value.detach() for term, value in terms._asdict().items()})

    def _reconstructor(self) -> Reconstructor:
        assert self.reconstructor is not None, "strategy baseline has no reconstructor"
        return self.reconstructor


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """What the decoder regresses: the image at its working size."""
    return image if image.shape[-2:] == size else F.interpolate(image, size, mode="area")


def _as_list(value: Any) -> list[Any]:
    """Lightning hands out one optimiser bare, several in a list."""
    return value if isinstance(value, list) else [value]
