"""One classifier and what it minimises: what a method without an opponent needs around its losses."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from acr_lightning.nets.checkpoint import load_weights
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import AlternatingModule, Player, StepSettings, Update
from acr_lightning.training.kept_maps import attach_features
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.photos import Photos
from acr_lightning.training.step_seed import StepDraws


class ClassifierTraining(AlternatingModule):
    """A classifier that is trained by one loss; subclasses say which.

    Args:
        classifier: whose CAM is wanted.
        optimizer: of the classifier and of what a method adds to it, whose layers are new ones.
        step: how a batch becomes a step.
        initial: a run, or a checkpoint of stage `fit`, whose classifier this one goes on from; null starts anew.
    """

    compiled_parts: tuple[str, ...] = ("classifier",)

    def __init__(
        self,
        classifier: Classifier,
        optimizer: OptimizerSettings = OptimizerSettings(),
        step: StepSettings = StepSettings(),
        initial: str | None = None,
    ) -> None:
        super().__init__(optimizer, step)
        self.classifier = classifier
        if initial is not None:
            load_weights(classifier, initial)

    @abstractmethod
    def losses(self, photos: Photos) -> Update:
        """What is minimised on some photos, the classifier being in train mode."""

    def trained(self) -> nn.Module:
        """What the optimiser trains: the classifier, and perhaps layers that its CAM does without."""
        return self.classifier

    def setup(self, stage: str) -> None:
        """Let the data know the classifier, where it keeps what a frozen backbone makes of the photos."""
        attach_features(self.trainer, self.classifier)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch."""
        image, tags = batch["image"], batch["tags"]
        draws = StepDraws(self.current_epoch, batch_index, self.trainer.world_size, self.trainer.global_rank)
        photos = Photos(image, tags, batch.get("maps"), drawn=draws.uniform(len(image)), valid=batch.get("valid"))
        self.trained().train()
        for part in self.updates_of(photos):
            self.update("classifier", "loss", part.split(self.split_evenly(len(part.image))), self.losses)
        self.step_schedules()

    def updates_of(self, photos: Photos) -> Sequence[Photos]:
        """The photos of each update of a batch: all are of one."""
        return [photos]

    def players(self) -> Mapping[str, Player]:  # noqa: D102
        return {"classifier": Player(self.trained(), self.optimizer_settings)}
