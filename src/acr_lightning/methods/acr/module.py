"""ACR as a LightningModule: RU and CU in turn at every batch."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from acr_lightning.classes.bounded import NonNegativeInt
from acr_lightning.errors import UserError
from acr_lightning.methods.acr.cu_loss import CULoss, CUWeights, cu_loss
from acr_lightning.methods.acr.game import Game, equal_force
from acr_lightning.methods.acr.phases import Strategy, phase
from acr_lightning.methods.acr.reconstructor import Reconstructor, stop_gradient
from acr_lightning.methods.acr.ru_loss import RULoss, RUWeights, removed_parts, ru_loss
from acr_lightning.methods.acr.srf import SRF, removal_mask
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.methods.acr.target import target_segment, target_wins
from acr_lightning.nets.checkpoint import load_weights
from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.training.alternating import AlternatingModule, Player, StepSettings, Update
from acr_lightning.training.draw_target import draw_target
from acr_lightning.training.kept_maps import attach_features, maps_kept
from acr_lightning.training.optimisation import OptimizerSettings, Span
from acr_lightning.training.step_seed import StepDraws


class ACR(AlternatingModule):
    """Adversarial learning of classifier and reconstructor (CVPR 2023); `strategy: baseline` is the plain CAM.

    Args:
        classifier: C, whose CAM is wanted.
        reconstructor: R; it is given its encoder, a classifier of its own.
        encoder: of R; null is another one of C's kind.
        strategy: `adversarial` (the paper's), `pretrained` (three phases) or `baseline` (no reconstructor).
        classifier_epochs: epochs in which the classifier trains alone, first.
        reconstructor_epochs: epochs in which the reconstructor trains alone, after those.
        srf: stochastic random feeding; null turns it off.
        ru: weights of the reconstructor's update.
        cu: weights of the classifier's update.
        game: how the game is played.
        initial: a run, or a checkpoint of stage `fit`, whose classifier this one starts from; null starts anew.
        optimizer: of the classifier, and of the reconstructor unless it has one of its own.
        reconstructor_optimizer: of the reconstructor; null is the classifier's.
        step: how a batch becomes a step.
    """

    compiled_parts = ("classifier", "reconstructor.encoder", "reconstructor.decoder")

    def __init__(
        self,
        classifier: Classifier,
        reconstructor: Callable[[Classifier], Reconstructor] = Reconstructor,
        encoder: Classifier | None = None,
        strategy: Strategy = "adversarial",
        classifier_epochs: NonNegativeInt = 0,
        reconstructor_epochs: NonNegativeInt = 0,
        srf: SRF | None = SRF(),
        ru: RUWeights = RUWeights(),
        cu: CUWeights = CUWeights(),
        game: Game = Game(),
        initial: str | None = None,
        optimizer: OptimizerSettings = OptimizerSettings(),
        reconstructor_optimizer: OptimizerSettings | None = None,
        step: StepSettings = StepSettings(),
    ) -> None:
        super().__init__(optimizer, step)
        if strategy == "pretrained" and not (classifier_epochs and reconstructor_epochs):
            raise UserError("strategy: pretrained needs classifier_epochs and reconstructor_epochs of at least 1")
        self.strategy, self.warm_up = strategy, (classifier_epochs, reconstructor_epochs)
        self.srf, self.ru, self.cu, self.game = srf, ru, cu, game
        self.reconstructor_optimizer = reconstructor_optimizer or optimizer
        self.classifier, self.goes_on = classifier, initial is not None
        if initial is not None:
            load_weights(classifier, initial)
        self.reconstructor = None if strategy == "baseline" else reconstructor(encoder or classifier.again())

    def setup(self, stage: str) -> None:
        """Let the data know the classifier, where it keeps what a frozen backbone makes of the photos."""
        encoder, is_scaled = (R.encoder, R.scaled) if (R := self.reconstructor) is not None else (None, False)
        attach_features(self.trainer, self.classifier, encoder, self.goes_on, is_scaled)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch: RU, then CU, as the epoch's phase has it."""
        now = phase(self.strategy, self.current_epoch, *self.warm_up)
        parts = self.draw(batch, batch_index).split(self.split_evenly(len(batch["image"])))
        if now.reconstructor:
            self.update("reconstructor", "ru", parts, self._ru)
        if now.classifier:
            self.update("classifier", "cu", parts, self._cu if now.adversarial else self._classification)
        self.step_schedules()

    def reconstructor_update(self, step: StepInput) -> RULoss:
        """RU's terms: R learns to paint what was removed of either segment from what is left of it."""
        R = self.reconstruct_with(training=True)
        x = R.pixels(step.image)
        S = self.segment_of_frozen_classifier(step)
        r_t, r_nt = removed_parts(S, step.removal)
        f, cls_R = R.encode(step.seen_by(R.encoder))
        # From the whole the encoder gets no gradient.
        whole, without_target, without_non_target = R.decode(
            (stop_gradient(f), [torch.ones_like(r_t)]), (f, [1 - r_t, 1 - r_nt])
        )
        classification = R.encoder.classification_loss(cls_R, step.tags) if cls_R else x.new_zeros(())
        return ru_loss(
            classification=classification, image=x, whole=whole,
            without_target=without_target, without_non_target=without_non_target,
            removed_target=r_t, removed_non_target=r_nt,
        )  # fmt: skip

    def classifier_update(self, step: StepInput) -> CULoss:
        """CU's terms: C makes a CAM whose two segments the frozen R cannot guess from each other."""
        R = self.reconstruct_with(training=False)
        x, size = R.pixels(step.image), R.working_size(step.image)
        cls_C = self._classify(step)
        with torch.no_grad():
            f, _ = R.encode(step.seen_by(R.encoder))
        S = target_segment(cls_C.cam_logits, step.tags, step.target, size)
        from_target, from_non_target = R.decode((f, [S, 1 - S]))
        return cu_loss(
            classification=self.classifier.classification_loss(cls_C, step.tags), image=x,
            from_target=from_target, from_non_target=from_non_target, segment=S,
            wins=target_wins(cls_C.cam_logits, step.target, size), outside=self.cu.outside,
            mean_over=self.cu.mean_over,
        )  # fmt: skip

    def draw(self, batch: dict[str, Any], batch_index: int) -> StepInput:
        """The batch with its draws, which are the same on any number of devices."""
        image, tags = batch["image"], batch["tags"]
        draws = StepDraws(self.current_epoch, batch_index, self.trainer.world_size, self.trainer.global_rank)
        target = draw_target(tags, draws.uniform(len(image)))
        removal = None
        if self.srf is not None and self.reconstructor is not None:
            cells = draws.uniform(len(image), 1, self.srf.grid, self.srf.grid).to(image.device)
            size = self.reconstructor.working_size(image)
            removal = removal_mask(cells, self.srf.probability(self.current_epoch - self.warm_up[0]), size)
        maps = maps_kept(self.classifier, image)
        return StepInput(image, tags, maps, target=target, removal=removal)

    @torch.no_grad()
    def segment_of_frozen_classifier(self, step: StepInput) -> Tensor:
        """`S` at the working size, `[B, 1, h, w]`, of the classifier in eval mode."""
        output = self.classifier.eval()(step.seen_by(self.classifier))
        size = self.reconstruct_with(training=True).working_size(step.image)
        return target_segment(output.cam_logits, step.tags, step.target, size)

    def reconstruct_with(self, training: bool) -> Reconstructor:
        """The reconstructor in train or eval mode."""
        assert self.reconstructor is not None, "strategy baseline has no reconstructor"
        return self.reconstructor.train(training)

    def players(self) -> Mapping[str, Player]:  # noqa: D102
        classifier, (first, second) = self.classifier, self.warm_up
        spans = [Span(0, first), Span(first + second, None, self.game.lr_factor)]
        players = {"classifier": Player(classifier, self.optimizer_settings, spans)}
        if (R := self.reconstructor) is not None:
            spans = [Span(first, second if self.strategy == "pretrained" else None)]
            players["reconstructor"] = Player(R, self.reconstructor_optimizer, spans)
        return players

    def _ru(self, step: StepInput) -> Update:
        terms = self.reconstructor_update(step)
        return Update(terms.total(self.ru, equal_force(self.classifier.num_classes)), terms._asdict())

    def _cu(self, step: StepInput) -> Update:
        terms = self.classifier_update(step)
        ramp = self.game.ramp_epochs
        rise = min(1.0, (self.current_epoch - sum(self.warm_up) + 1) / ramp) if ramp else 1.0
        force = equal_force(self.classifier.num_classes) * rise
        return Update(terms.total(self.cu, force), terms._asdict())

    def _classification(self, step: StepInput) -> Update:
        loss = self.classifier.classification_loss(self._classify(step), step.tags)
        return Update(loss, {"classification": loss})

    def _classify(self, step: StepInput) -> ClassifierOutput:
        output: ClassifierOutput = self.classifier.train()(step.seen_by(self.classifier))
        return output
