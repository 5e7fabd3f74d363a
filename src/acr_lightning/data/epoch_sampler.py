"""The order of samples, and the seed of each sample's augmentation, as functions of seed and epoch alone."""

from collections.abc import Iterator
from itertools import islice

from torch.utils.data import Dataset, DistributedSampler


class EpochSampler(DistributedSampler[int]):
    """Shuffles by (seed, epoch) and hands `(epoch, index)` to the data set.

    The data set seeds its augmentation with the pair. So a resumed run sees what an uninterrupted one sees, and the
    number of workers changes nothing; the ranks together read the same global batches as one process would.
    albumentations alone repeats its draws in every worker and epoch.

    Args:
        dataset: what is sampled.
        num_replicas: processes of the job.
        rank: this process.
        seed: of the shuffling.
        done: the epoch to begin with, and how many of its samples each process used before the run was stopped.
    """

    def __init__(
        self, dataset: Dataset[object], num_replicas: int, rank: int, seed: int, done: tuple[int, int] = (0, 0)
    ) -> None:
        # Without its last, incomplete round: padding it would give several processes one batch more than one process.
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=True, seed=seed, drop_last=True)
        self.done = done
        # Loader processes of a resumed run fetch their first batches before Lightning sets the epoch.
        self.set_epoch(done[0])

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        epoch, count = self.done
        for index in islice(super().__iter__(), count if epoch == self.epoch else 0, None):
            yield self.epoch, index
