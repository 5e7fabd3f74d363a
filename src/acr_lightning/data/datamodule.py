"""What each stage's loaders read."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.item_path import without_file
from acr_lightning.classes.bounded import NonNegativeInt, PositiveInt
from acr_lightning.data.class_faults import require_class_names
from acr_lightning.data.epoch_sampler import EpochSampler
from acr_lightning.data.images import image_size
from acr_lightning.data.samples import PhotoGroups, TrainingSamples, groups_of_one_size
from acr_lightning.data.shard import of_shard
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.data.transforms import classification_transform, segmentation_transform
from acr_lightning.errors import UserError


class TrainingBatches(LightningDataModule, ABC):
    """Shuffled, augmented batches of the `train` split; subclasses say what a sample is.

    Args:
        dataset: photos and tags.
        batch_size: photos a step, all devices together, so that their number changes speed only.
        num_workers: loader processes per device; changes speed only.
        seed: of order and augmentation.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        batch_size: PositiveInt = 8,
        num_workers: NonNegativeInt = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.dataset, self.batch_size, self.num_workers, self.seed = dataset, batch_size, num_workers, seed
        self.done = (0, 0)

    @property
    def num_classes(self) -> int:
        """K, without background; asked for when a network is built.

        Raises:
            UserError: there are too many, or one is called what none can be: the data set may be anyone's.
        """
        require_class_names(self.dataset.class_names, "dataset")
        return self.dataset.num_classes

    @abstractmethod
    def samples(self) -> TrainingSamples:
        """The training samples."""

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:  # noqa: D102
        trainer, samples = self.trainer, self.samples()
        world, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        if self.batch_size % world:
            raise UserError(f"data.batch_size: {self.batch_size} photos cannot be shared evenly by {world} devices")
        if len(samples) < self.batch_size:
            raise UserError(f"data.batch_size: {self.batch_size} is more than the {len(samples)} training photos")
        per_device, (epoch, batches) = self.batch_size // world, self.done
        return DataLoader(
            samples,
            batch_size=per_device,
            sampler=EpochSampler(samples, world, rank, self.seed, (epoch, batches * per_device)),
            drop_last=True,
            num_workers=self.num_workers,
            pin_memory=trainer is not None and trainer.strategy.root_device.type == "cuda",
            persistent_workers=self.num_workers > 0,
        )

    def state_dict(self) -> dict[str, Any]:
        """The epoch to go on with, and how many of its batches are done."""
        assert self.trainer is not None
        epoch, batches = self.trainer.current_epoch, self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        if batches >= self.trainer.num_training_batches:
            epoch, batches = epoch + 1, 0
        return {"epoch": epoch, "batches": batches}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Leave out the batches that were trained on before the checkpoint."""
        self.done = (state["epoch"], state["batches"])


class TaggedCrops(TrainingBatches):
    """Random crops with their tags, for stage `fit`.

    Args:
        dataset: photos and tags.
        crop: side of the square crop, pixels.
        long_side: smallest and largest long side that photos are resized to before cropping, pixels.
    """

    def __init__(
        self, dataset: TaggedDataset, crop: PositiveInt = 256, long_side: tuple[int, int] = (384, 512), **batches: Any
    ) -> None:
        super().__init__(dataset, **batches)
        self.crop, self.long_side = crop, long_side

    def samples(self) -> TrainingSamples:  # noqa: D102
        return TrainingSamples(self.dataset, classification_transform(self.crop, self.long_side), self.seed)


class LabelledCrops(TrainingBatches):
    """Random crops with their pseudo-labels, for stage `segment`.

    Args:
        dataset: photos.
        labels: folder of pseudo-labels `<id>.png`; `masks` trains on the true masks instead (an upper bound, no
            longer weak supervision).
        crop: side of the square crop, pixels.
        scale: smallest and largest random factor.
        long_side: resize photos to this long side first; null keeps their size.
        review: file of decisions (`acr review`): rejected photos are left out. null takes the run's, if there is one.
    """

    def __init__(
        self,
        dataset: TaggedDataset,
        labels: str,
        crop: PositiveInt = 321,
        scale: tuple[float, float] = (0.5, 1.5),
        long_side: int | None = None,
        review: str | None = None,
        **batches: Any,
    ) -> None:
        super().__init__(dataset, **batches)
        self.labels, self.crop, self.scale, self.long_side = labels, crop, scale, long_side
        self.leave_out = review_file.rejected(review)

    def samples(self) -> TrainingSamples:  # noqa: D102
        transform = segmentation_transform(self.crop, self.scale, self.long_side)
        return TrainingSamples(self.dataset, transform, self.seed, self.labels, self.leave_out)


class TaggedPhotos(LightningDataModule):
    """Whole photos with their tags, in groups of one size; one whose result is there already is not read again.

    Args:
        dataset: photos and tags.
        splits: of which photos; an id in two splits is taken once.
        num_workers: loader processes per device; changes speed only.
        shard: `3/16` does the third of sixteen parts, one for each job of an array; null does all photos.
        photos_per_pass: so many photos of one size go through the network together, on a GPU; changes speed only.
        verify: read the results that are there already to their end, and make damaged ones again; else a file that
            holds something will do, since files appear only when they are whole.
        review: file of decisions (`acr review`): tags that were added count. null takes the run's, if there is one.
    """

    with_tags = True

    def __init__(
        self,
        dataset: TaggedDataset,
        splits: list[Split],
        num_workers: NonNegativeInt = 2,
        shard: str | None = None,
        photos_per_pass: PositiveInt = 1,
        verify: bool = False,
        review: str | None = None,
    ) -> None:
        super().__init__()
        self.dataset, self.num_workers, self.photos_per_pass = dataset, num_workers, photos_per_pass
        self.verify = verify
        self.ids = list(dict.fromkeys(image_id for split in splits for image_id in dataset.ids(split)))
        self.own = of_shard(self.ids, shard)
        self.left, self.more_tags = self.own, review_file.added_classes(review, dataset.class_names)

    def predict_dataloader(self) -> DataLoader[list[dict[str, Any]]]:  # noqa: D102
        groups = [[image_id] for image_id in self.left]
        if self.photos_per_pass > 1:
            sizes = ((image_id, image_size(self.dataset.image_path(image_id))) for image_id in self.left)
            groups = groups_of_one_size(sizes, self.photos_per_pass)
        # Lightning wants a group for each process; doing one twice is harmless, its files are written atomically.
        world = self.trainer.world_size if self.trainer else 1
        groups += groups[:1] * max(0, world - len(groups))
        photos = PhotoGroups(self.dataset, groups, self.with_tags, self.more_tags)
        return DataLoader(photos, batch_size=None, num_workers=self.num_workers)

    def leave_out(self, folder: Path, suffix: str, read: Callable[[Path], Any]) -> int:
        """Leave out the photos whose result is there.

        Args:
            folder: of the results.
            suffix: of a result's name after the id.
            read: reads a result, a UserError where it is not whole; called where `verify` is true.

        Returns:
            How many are left to do here.
        """
        self.left = without_file(folder, self.own, suffix, read if self.verify else None)
        return len(self.left)


class UntaggedPhotos(TaggedPhotos):
    """The same without tags, for the network's test in stage `evaluate`: photos of the split `test` have none."""

    with_tags = False
