"""`acr data download`."""

from pathlib import Path


def download(name: str, folder: str = "data", /, *, mirror: str | None = None) -> int:
    """Data sets: NAME is voc2012, sbd or coco2014; FOLDER is `data` if none is given.

    Resumes where it was cut, verifies size and MD5, unpacks to FOLDER/VOC2012, FOLDER/SBD and FOLDER/coco, and makes
    VOC's train_aug list as soon as VOC and SBD are both there.

    Args:
        name: of the data set.
        folder: where it goes.
        mirror: a URL to take the archives from instead.
    """
    from acr_lightning.data_care.download import download as get

    for line in get(name, Path(folder), mirror):
        print(line)
    return 0
