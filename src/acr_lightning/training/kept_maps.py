"""Bringing together a classifier whose backbone is frozen and the data that keeps its maps."""

import hashlib
import logging
from random import SystemRandom

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from acr_lightning.data.frozen_features import FrozenFeatures
from acr_lightning.errors import UserError
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.nets.wrapped_classifier import inside

log = logging.getLogger(__name__)
# Photos that say how large each channel is; so many are enough, and of a million no more have to be seen beforehand.
MOST_PHOTOS = 1024
# A channel that is almost always 0 is not made large.
LEAST_DEVIATION = 1e-3


def attach_features(
    trainer: Trainer, classifier: Classifier, other: Classifier | None = None, trained: bool = False
) -> None:
    """Let a classifier keep its maps where the data says, and see how large they are; else nothing happens.

    Args:
        trainer: with its data module; its processes share the work.
        classifier: whose backbone makes the maps.
        other: that is fed by the same maps, as the backbone makes them.
        trained: whether the classifier goes on from a training, whose scales it has.

    Raises:
        UserError: the data keeps maps, but the classifier's backbone is not frozen, or the other has another one.
    """
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, FrozenFeatures):
        return
    network = inside(classifier)
    if not isinstance(network, FrozenClassifier):
        raise UserError(
            f"data: FrozenFeatures keeps the maps of a frozen backbone; model.classifier is a "
            f"{type(network).__name__}, FrozenClassifier has one"
        )
    if other is not None and not (isinstance(other, FrozenClassifier) and other.backbone is network.backbone):
        raise UserError("data: FrozenFeatures keeps the maps of model.classifier's backbone; set model.encoder to null")
    network.backbone.to(trainer.strategy.root_device).eval()
    network.keep_in(data.store)
    # The other one has none: a reconstructor that takes scaled maps guesses so well that CAMs shrink away.
    if not trained:
        network.set_scales(_deviations(trainer, data, network))


def maps_kept(classifier: Classifier, image: Tensor) -> list[Tensor] | None:
    """What `PhotoBatch.maps` is of images `[B, 3, H, W]` in `[0, 1]`: None unless the classifier keeps its maps."""
    seen = classifier.recurring(classifier.normalise(image))
    return None if isinstance(seen, Tensor) else seen


@torch.no_grad()
def _deviations(trainer: Trainer, data: FrozenFeatures, network: FrozenClassifier) -> list[Tensor]:
    """Of each map the root mean square of each channel over photos and mirror images, but at least 0.001, `[C_i]`."""
    samples, device = data.samples(), trainer.strategy.root_device
    step = -(-len(samples) // MOST_PHOTOS)
    photos = range(0, len(samples), step)

    def maps(index: int) -> list[Tensor]:
        image = samples.photo(index)[None].to(device)
        kept = maps_kept(network, torch.cat([image, image.flip(-1)]))
        assert kept is not None
        return kept

    def deviations() -> list[Tensor]:
        squares = [torch.zeros(channels, dtype=torch.float64, device=device) for channels in network.channels]
        for index in photos:
            for square, one in zip(squares, maps(index), strict=True):
                square += one.double().square().mean(dim=(2, 3)).sum(dim=0)
        return [(square / (2 * len(photos))).sqrt().clamp(min=LEAST_DEVIATION).float().cpu() for square in squares]

    name = hashlib.sha256(" ".join([network.digest(), *map(samples.name, photos)]).encode()).hexdigest()
    if device.type == "cpu" and not data.store.path(name).is_file():  # on a GPU none are kept
        shapes = [one.shape[1:].numel() for one in maps(0)]
        size = 2 * len(samples) * sum(shapes) * torch.finfo(network.kept_as).bits / 8e9
        log.info("the maps of %d photos take %.1f GB in %s, kept for other runs", len(samples), size, data.store.folder)
        # Each process, of this training or another one, in an order of its own: they rarely make the same.
        for index in SystemRandom().sample(photos, len(photos)):
            maps(index)
    trainer.strategy.barrier("features are kept")
    return data.store.get(name, deviations)
