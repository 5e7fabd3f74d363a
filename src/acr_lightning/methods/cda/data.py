"""Stage `fit`'s data for CDA."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.manifest import classes_of, labels_of, require_classes
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.data.datamodule import TaggedCrops
from acr_lightning.data.samples import TrainingSamples, tag_vector
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data.transforms import classification_transform
from acr_lightning.errors import UserError
from acr_lightning.methods.cda.pasting import Cutout, cut_out, paste

# Photos of a class that are looked at for an object; where none of them has one, nothing is pasted.
TRIES = 20


class PastedCrops(TaggedCrops):
    """Each photo twice an epoch: as it is, and with an object of a class that it does not show (CDA, ICCV 2021).

    Args:
        dataset: photos and tags.
        labels: an earlier run, or the folder of its pseudo-labels, `runs/…/label/labels`, by which objects are cut out.
    """

    def __init__(self, dataset: TaggedDataset, labels: str, **crops: Any) -> None:
        super().__init__(dataset, **crops)
        self.labels = labels_of(Path(labels))

    def samples(self) -> TrainingSamples:
        """The training samples.

        Raises:
            UserError: there are no labels, or they are a run's of other classes.
        """
        if not self.labels.is_dir():
            raise UserError(
                f"data.labels: no folder {self.labels}; run all stages up to label of an earlier round first"
            )
        require_classes(f"data.labels: {self.labels}", classes_of(self.labels.parent), self.dataset.class_names)
        return PastedSamples(self.dataset, self.crop, self.long_side, self.seed, self.labels)


class PastedSamples(TrainingSamples):
    """The photos as they are, and after them the same with an object on each, cut out by pseudo-labels in a folder."""

    def __init__(self, dataset: TaggedDataset, crop: int, long_side: tuple[int, int], seed: int, objects: Path) -> None:
        super().__init__(dataset, classification_transform(crop, long_side), seed)
        self.objects, self.photos = objects, len(self.ids)
        self.classes = torch.stack([tag_vector(dataset, image_id) for image_id in self.ids])
        self.ids = self.ids * 2

    def photo(self, epoch: int, index: int) -> tuple[NDArray[np.uint8], Tensor]:
        """A photo and its tags, both with what is pasted."""
        image, tags = super().photo(epoch, index)
        if index < self.photos or not len(absent := (tags == 0).nonzero().flatten()):
            return image, tags
        generator = np.random.default_rng([self.seed, epoch, index])
        new_class = int(generator.choice(absent.numpy()))
        cutout = self._object(new_class, generator)
        if cutout is None:
            return image, tags
        tags[new_class] = 1
        return paste(image, cutout, generator), tags

    def _object(self, of_class: int, generator: np.random.Generator) -> Cutout | None:
        """An object from one of the photos that are tagged with a class and labelled with nothing else."""
        for at in generator.permutation(self.classes[:, of_class].nonzero().flatten().numpy())[:TRIES]:
            label = read_mask(item_path(self.objects, self.ids[at], ".png"))
            if (label == of_class + 1).any() and (cutout := cut_out(self.dataset.image(self.ids[at]), label)):
                return cutout
        return None
