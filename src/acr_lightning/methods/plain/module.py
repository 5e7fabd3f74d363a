"""Classification alone as a LightningModule: the plain CAM, and the control of every other method."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.classifier import Classifier
from acr_lightning.training.alternating import AlternatingModule, Player, Update
from acr_lightning.training.frozen_features import attach_features
from acr_lightning.training.optimisation import OptimizerSettings


class Plain(AlternatingModule):
    """A classifier trained on image tags; its CAM comes for free (Zhou et al., CVPR 2016).

    Args:
        classifier: whose CAM is wanted.
        optimizer: of the classifier.
        micro_batches: a batch goes through the network in this many parts, one after the other (gradient
            accumulation): less memory, the same step.
        max_nonfinite: an update whose loss is not finite changes nothing by its gradient; so many in a row stop the
            run.
    """

    compiled_parts = ("classifier",)

    def __init__(
        self,
        classifier: Classifier,
        optimizer: OptimizerSettings = OptimizerSettings(),
        micro_batches: int = 1,
        max_nonfinite: int = 10,
    ) -> None:
        super().__init__(optimizer, micro_batches, max_nonfinite)
        self.classifier = classifier

    def setup(self, stage: str) -> None:
        """Let the data know the classifier, where it keeps what a frozen backbone makes of the photos."""
        attach_features(self.trainer, self.classifier)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch."""
        size = self.split_evenly(len(batch["image"]))
        seen = batch["maps"] if "maps" in batch else [self.classifier.normalise(batch["image"])]
        parts = list(zip(*(one.split(size) for one in (batch["tags"], *seen)), strict=True))
        self.classifier.train()
        self.update("classifier", "classification", parts, self._classification)
        self.step_schedules()

    def players(self) -> Mapping[str, Player]:  # noqa: D102
        pretrained = list(self.classifier.pretrained_parameters())
        return {"classifier": Player(self.classifier, pretrained, self.optimizer_settings)}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what it takes to build the classifier without this module."""
        describe_in(checkpoint, self.classifier, "classifier")

    def _classification(self, part: tuple[Tensor, ...]) -> Update:
        tags, *seen = part
        output = self.classifier(seen if len(seen) > 1 else seen[0])
        return Update(self.classifier.classification_loss(output, tags), {})
