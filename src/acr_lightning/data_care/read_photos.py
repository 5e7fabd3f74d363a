"""Whether a data set's photos can be read, before something long begins."""

from contextlib import suppress
from functools import partial

from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.system.pool import map_in_pool

SPLITS: tuple[Split, ...] = ("train", "val")
# Of a larger set so many are read, evenly spread: seconds.
MOST = 2000
# Photos that are read before other processes would have started.
FEW = 200


def read_photos(dataset: TaggedDataset) -> str:
    """Decode photos to train on and to test on to their end, and say how many.

    Raises:
        UserError: photos are missing or damaged, a line each.
    """
    ids = dict[str, None]()
    for split in SPLITS:
        with suppress(UserError):  # a list that is missing is said by the stage that wants it
            ids |= dict.fromkeys(dataset.ids(split))
    some = [*ids][:: -(-len(ids) // MOST) or 1]
    for _ in map_in_pool(partial(_read, dataset), some, "photos", few=FEW):
        pass
    return f"{len(some)} of {len(ids)} photos" if len(some) < len(ids) else f"all {len(ids)} photos"


def _read(dataset: TaggedDataset, image_id: str) -> None:
    dataset.image(image_id)
