"""Bringing together a classifier whose backbone is frozen and the data that keeps its maps."""

from lightning.pytorch import Trainer

from acr_lightning.data.frozen_features import FrozenFeatures
from acr_lightning.errors import UserError
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.wrapped_classifier import inside


def attach_features(trainer: Trainer, classifier: Classifier, other: Classifier | None = None) -> None:
    """Compute the maps that the data is to keep, or find them; nothing happens with any other data.

    Args:
        trainer: with its data module; one process of each machine does the work.
        classifier: whose backbone makes the maps.
        other: that is to be fed by the same maps.

    Raises:
        UserError: the data keeps maps, but the classifier's backbone is not frozen, or the other has another one.
    """
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, FrozenFeatures):
        return
    classifier = inside(classifier)
    if not isinstance(classifier, FrozenClassifier):
        raise UserError(
            f"data: FrozenFeatures keeps the maps of a frozen backbone; model.classifier is a "
            f"{type(classifier).__name__}, FrozenClassifier has one"
        )
    if other is not None and getattr(other, "backbone", None) is not classifier.backbone:
        raise UserError("data: FrozenFeatures keeps the maps of model.classifier's backbone; set model.encoder to null")
    device = trainer.strategy.root_device
    classifier.backbone.to(device).eval()
    cache = data.prepare(classifier, device, make=trainer.local_rank == 0)
    trainer.strategy.barrier("features are kept")
    if cache is None:
        cache = data.prepare(classifier, device, make=False)
    if cache is None:
        raise UserError(f"data.cache: {data.cache} was filled by the first process, but this one does not see it")
    classifier.set_scales(cache.deviations)
