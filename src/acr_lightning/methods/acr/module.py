"""ACR as a LightningModule: RU and CU in turn at every batch, by manual optimisation."""

from collections.abc import Iterator
from typing import Any, Literal, cast

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler

from acr_lightning.errors import UserError
from acr_lightning.methods.acr.cu_loss import CULoss, cu_loss
from acr_lightning.methods.acr.phases import Strategy, phase
from acr_lightning.methods.acr.ru_loss import RULoss, removed_parts, ru_loss
from acr_lightning.methods.acr.srf import removal_mask, removal_probability
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.methods.acr.target import draw_target, target_segment, target_wins
from acr_lightning.nets.classifier import ClassifierOutput
from acr_lightning.nets.classifier_checkpoint import ClassifierConfig
from acr_lightning.nets.reconstructor import Features, Reconstructor
from acr_lightning.training.nonfinite import NonFiniteGuard
from acr_lightning.training.optimisation import OptimizerName, make_optimizer, parameter_groups, poly_schedule
from acr_lightning.training.step_seed import StepDraws


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
        transposed_factor: the same for the decoder's transposed convolutions; null treats them as other new layers.
        schedule_epochs: length of the poly schedule, after which the rate stays at its last value; null: the whole run.
        momentum: of SGD.
        weight_decay: of weights; biases have none.
        gradient_clip_val: largest gradient norm of each network; null leaves gradients alone.
        micro_batches: a batch goes through the networks in this many parts, one after the other (gradient
            accumulation): less memory, the same step.
        reuse_features: take the frozen network's pass from the other phase of the same step, which saves two of the
            six encoder passes. RU then sees the CAM of a classifier in train mode, CU the features of the
            reconstructor before its step; the classifier's graph is kept during RU.
        max_nonfinite: a step whose loss is not finite is skipped; so many in a row, of one network, stop the run.
    """

    compiled_parts = ("classifier", "reconstructor.encoder", "reconstructor.decoder")

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
        transposed_factor: float | None = None,
        schedule_epochs: int | None = None,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        gradient_clip_val: float | None = None,
        micro_batches: int = 1,
        reuse_features: bool = False,
        max_nonfinite: int = 10,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.options: Any = self.hparams  # the arguments above, by name
        self.automatic_optimization = False
        self.guard = NonFiniteGuard(max_nonfinite)
        self._weights = {"ru": (ru_whole, ru_target, ru_non_target), "cu": (cu_target, cu_non_target)}
        if strategy == "pretrained" and not (classifier_epochs and reconstructor_epochs):
            raise UserError("strategy: pretrained needs classifier_epochs and reconstructor_epochs of at least 1")
        self.classifier_config = ClassifierConfig(num_classes, backbone, output_stride, freeze_batchnorm)
        self.classifier = self.classifier_config.build(weights)
        self.reconstructor: Reconstructor | None = None
        if strategy != "baseline":
            encoder = self.classifier_config.build(weights)
            self.reconstructor = Reconstructor(encoder, decoder_depth, decoder_width, decoder_stride)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch: RU, then CU, as the epoch's phase has it.

        Lightning's `global_step` counts the steps of both optimisers, two a batch; schedules and loggers count batches.
        """
        options = self.options
        now = phase(options.strategy, self.current_epoch, options.classifier_epochs, options.reconstructor_epochs)
        parts = self._step_input(batch, batch_index).split(options.micro_batches)
        optimizers = _as_list(self.optimizers())
        # `reuse_features`: what one phase made of each part, for the other.
        classified: list[ClassifierOutput | None] = [None] * len(parts)
        features: list[Features | None] = [None] * len(parts)
        if options.reuse_features and now.reconstructor and now.classifier:
            classified = [self._classify(part) for part in parts]
        if now.reconstructor:
            with self.toggled_optimizer(optimizers[1]):
                removed = (self.removed(part, known) for part, known in zip(parts, classified, strict=True))
                ru = (self.reconstructor_update(part, *cut) for part, cut in zip(parts, removed, strict=True))
                made = self._update(optimizers[1], "ru", len(parts), ru)
            if options.reuse_features:
                features = made
        if now.classifier:
            with self.toggled_optimizer(optimizers[0]):
                cu = (
                    self.classifier_update(part, now.adversarial, *known)
                    for part, known in zip(parts, zip(classified, features, strict=True), strict=True)
                )
                self._update(optimizers[0], "cu", len(parts), cu)
        for schedule in cast(list[LRScheduler], _as_list(self.lr_schedulers())):
            schedule.step()

    def removed(self, step: StepInput, classified: ClassifierOutput | None = None) -> tuple[Tensor, Tensor]:
        """`r_t` and `r_nt` at the working size, `[B, 1, h, w]`, from the frozen classifier (eval mode, no gradient).

        Args:
            step: images and draws.
            classified: the classifier's own pass of this step, if it is to be reused.
        """
        with torch.no_grad():
            if classified is None:
                self.classifier.eval()
                classified = self.classifier(step.image)
            size = self._reconstructor().working_size(step.image)
            return removed_parts(target_segment(classified.cam_logits, step.tags, step.target, size), step.removal)

    def reconstructor_update(
        self, step: StepInput, removed_target: Tensor, removed_non_target: Tensor
    ) -> tuple[RULoss, Features]:
        """RU's terms, and the features `f` without gradient.

        Args:
            step: images and draws.
            removed_target: `r_t`, `[B, 1, h, w]`.
            removed_non_target: `r_nt`, `[B, 1, h, w]`.
        """
        reconstructor = self._reconstructor()
        reconstructor.train()
        features, class_logits = reconstructor.encode(step.image)
        # From the whole the encoder gets no gradient.
        whole, without_target, without_non_target = reconstructor.decode(
            (features.detach(), [torch.ones_like(removed_target)]),
            (features, [1 - removed_target, 1 - removed_non_target]),
        )
        terms = ru_loss(
            class_logits, step.tags, _resized(step.image, whole), whole, without_target, without_non_target,
            removed_target, removed_non_target,
        )  # fmt: skip
        return terms, features.detach()

    def classifier_update(
        self,
        step: StepInput,
        adversarial: bool = True,
        classified: ClassifierOutput | None = None,
        features: Features | None = None,
    ) -> tuple[CULoss, Features | None]:
        """CU's terms, and the features: the reconstructor is frozen and in eval mode.

        Args:
            step: images and draws.
            adversarial: otherwise the classification loss alone (the other terms are then 0).
            classified: the classifier's pass of this step with its graph, if it is to be reused.
            features: `f` of RU in this step, if they are to be reused.
        """
        cam_logits, class_logits, _ = classified or self._classify(step)
        if not adversarial:
            zero = class_logits.new_zeros(())
            return CULoss(F.binary_cross_entropy_with_logits(class_logits, step.tags), zero, zero), None
        reconstructor = self._reconstructor()
        reconstructor.eval()
        if features is None:
            with torch.no_grad():
                features, _ = reconstructor.encode(step.image)
        size = reconstructor.working_size(step.image)
        segment = target_segment(cam_logits, step.tags, step.target, size)
        from_target, from_non_target = reconstructor.decode((features, [segment, 1 - segment]))
        terms = cu_loss(
            class_logits, step.tags, _resized(step.image, from_target), from_target, from_non_target, segment,
            target_wins(cam_logits, step.target, size), self.options.cu_outside,
        )  # fmt: skip
        return terms, features

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[LRScheduler]]:
        """An optimiser and a poly schedule for each network; checkpoints keep both."""
        options = self.options
        parts: list[tuple[nn.Module, nn.Module]] = [(self.classifier, self.classifier.backbone)]
        if self.reconstructor is not None:
            parts.append((self.reconstructor, self.reconstructor.encoder.backbone))
        optimizers = []
        for module, backbone in parts:
            groups = parameter_groups(
                module, backbone, options.lr, options.weight_decay, options.new_layer_factor,
                transposed_factor=options.transposed_factor,
            )  # fmt: skip
            optimizers.append(make_optimizer(options.optimizer, groups, options.momentum))
        # With `max_epochs` this is the number of batches (with `max_steps` it would count each optimiser's steps).
        total = int(self.trainer.estimated_stepping_batches)
        if options.schedule_epochs is not None:
            total = total * options.schedule_epochs // (self.trainer.max_epochs or options.schedule_epochs)
        return optimizers, [poly_schedule(optimizer, total) for optimizer in optimizers]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip here: only here are the gradients unscaled in 16-mixed."""
        if self.options.gradient_clip_val is not None:
            self.clip_gradients(optimizer, self.options.gradient_clip_val, gradient_clip_algorithm="norm")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what `load_classifier` needs to build the classifier without this module."""
        checkpoint["classifier_config"] = self.classifier_config._asdict()

    def _step_input(self, batch: dict[str, Any], batch_index: int) -> StepInput:
        """The batch with its draws, which are the same on any number of devices."""
        image, tags, options = self.classifier.backbone.normalise(batch["image"]), batch["tags"], self.options
        if len(image) % options.micro_batches:
            raise UserError(
                f"model.micro_batches: a device's {len(image)} photos cannot be split into "
                f"{options.micro_batches} equal parts"
            )
        draws = StepDraws(self.current_epoch, batch_index, self.trainer.world_size, self.trainer.global_rank)
        target = draw_target(tags, draws.uniform(len(image)).to(tags.device))
        removal = None
        if options.srf is not None and self.reconstructor is not None:
            probability = removal_probability(self.current_epoch, options.srf_start, options.srf_growth)
            cells = draws.uniform(len(image), 1, options.srf, options.srf).to(image.device)
            removal = removal_mask(cells, probability, self.reconstructor.working_size(image))
        return StepInput(image, tags, target, removal)

    def _classify(self, step: StepInput) -> ClassifierOutput:
        self.classifier.train()
        output: ClassifierOutput = self.classifier(step.image)
        return output

    def _update(
        self,
        optimizer: LightningOptimizer,
        name: Literal["ru", "cu"],
        parts: int,
        updates: Iterator[tuple[RULoss | CULoss, Features | None]],
    ) -> list[Features | None]:
        """One step of one network from the mean of the parts' losses; returns what came with each part's terms."""
        kept: list[Features | None] = []
        logged: dict[str, Tensor] = {}
        optimizer.zero_grad()
        for terms, also in updates:
            loss = terms.total(*self._weights[name])
            self.manual_backward(loss / parts)
            kept.append(also)
            for key, value in ((name, loss), *((f"{name}/{term}", value) for term, value in terms._asdict().items())):
                logged[key] = logged.get(key, torch.zeros_like(loss)) + value.detach() / parts
        finite = self._over_devices(torch.isfinite(logged[name]).float()) == 1
        if self.guard.allows(name, bool(finite), f"epoch {self.current_epoch}"):
            optimizer.step()
        self.log(name, logged.pop(name), prog_bar=True)
        self.log_dict({**logged, f"{name}/skipped": float(self.guard.skipped[name])})
        return kept

    def _over_devices(self, value: Tensor) -> Tensor:
        """The mean of a number over all processes."""
        mean: Tensor = self.trainer.strategy.reduce(value, reduce_op="mean")
        return mean

    def _reconstructor(self) -> Reconstructor:
        assert self.reconstructor is not None, "strategy baseline has no reconstructor"
        return self.reconstructor


def _resized(image: Tensor, like: Tensor) -> Tensor:
    """What the decoder regresses: the image at its working size."""
    size = like.shape[-2:]
    return image if image.shape[-2:] == size else F.interpolate(image, size, mode="area")


def _as_list(value: Any) -> list[Any]:
    """Lightning hands out one optimiser bare, several in a list."""
    return value if isinstance(value, list) else [value]
