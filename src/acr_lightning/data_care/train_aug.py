"""VOC's augmented training list (10,582 ids), made from the lists of VOC 2012 and of SBD."""

from pathlib import Path

from acr_lightning.artefacts.atomic import write_text
from acr_lightning.data.id_list import read_ids

# The literature's number; another one means other lists than the published ones.
USUAL = 10_582


def write_train_aug(voc: Path, sbd: Path) -> int:
    """Write `train_aug.txt` beside VOC's own lists: VOC's train and all of SBD, without VOC's val.

    Only ids: the tags of all of them come from VOC's `Annotations`.

    Args:
        voc: folder of VOC 2012.
        sbd: folder of SBD, with `train.txt` and `val.txt`.

    Returns:
        How many ids.

    Raises:
        UserError: a list is missing.
    """
    lists = voc / "ImageSets" / "Segmentation"
    ids = {*read_ids(lists / "train.txt"), *read_ids(sbd / "train.txt"), *read_ids(sbd / "val.txt")}
    ids -= set(read_ids(lists / "val.txt"))
    write_text(lists / "train_aug.txt", "".join(f"{image_id}\n" for image_id in sorted(ids)))
    return len(ids)
