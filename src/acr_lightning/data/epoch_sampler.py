"""The order of samples, and the seed of each sample's augmentation, as functions of seed and epoch alone."""

from collections.abc import Iterator

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
    """

    def __init__(self, dataset: Dataset[object], num_replicas: int, rank: int, seed: int) -> None:
        super().__init__(dataset, num_replicas=num_replicas, rank=rank, shuffle=True, seed=seed)

    def __iter__(self) -> Iterator[tuple[int, int]]:  # type: ignore[override]
        for index in super().__iter__():
            yield self.epoch, index
