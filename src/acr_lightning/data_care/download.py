"""`acr data download`: fetch, verify, unpack, and put each folder where the shipped experiments look for it."""

from pathlib import Path

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from acr_lightning.artefacts.atomic import write_text
from acr_lightning.data.id_list import read_ids
from acr_lightning.data_care.fetch import fetch
from acr_lightning.data_care.sources import SOURCES, Archive
from acr_lightning.data_care.unpack import unpack
from acr_lightning.errors import UserError, nearest

# Ids of the augmented list; another number means other lists than the published ones.
USUAL = 10_582


def download(name: str, folder: str = "data", /, *, mirror: str | None = None) -> int:
    """Data sets: NAME is voc2012, sbd or coco2014; FOLDER is `data` if none is given.

    Resumes where it was cut, verifies size and MD5, unpacks to FOLDER/VOC2012, FOLDER/SBD and FOLDER/coco, and makes
    VOC's train_aug list as soon as VOC and SBD are both there.

    Args:
        name: of the data set.
        folder: where it goes.
        mirror: a URL to take the archives from instead.

    Raises:
        UserError: there is no such data set, or something could not be downloaded or unpacked.
    """
    if name not in SOURCES:
        raise UserError(f"no data set '{name}'.{nearest(name, SOURCES)} Known: {', '.join(SOURCES)}")
    root = Path(folder)
    for archive in SOURCES[name]:
        place = root / archive.place
        if place.is_dir():
            print(f"{archive.name}: unpacked before, in {place}")
            continue
        if mirror is not None:
            archive = archive._replace(urls=(f"{mirror.rstrip('/')}/{archive.name}",))
        path = _fetch(archive, root / "archives")
        unpack(path, root, archive.inside, archive.place)
        print(f"{archive.name}: verified, unpacked into {place}; {path} may be removed")
    _make_train_aug(root)
    return 0


def _fetch(archive: Archive, folder: Path) -> Path:
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(archive.name, total=archive.size)
        return fetch(archive, folder, lambda done: progress.update(task, completed=done))


def _make_train_aug(folder: Path) -> None:
    """Write VOC's augmented list, its train and all of SBD without its val, as soon as VOC and SBD are both there.

    Only ids: the tags of all of them come from VOC's `Annotations`.
    """
    lists, sbd = folder / "VOC2012" / "ImageSets" / "Segmentation", folder / "SBD"
    path = lists / "train_aug.txt"
    if path.is_file() or not (lists.is_dir() and sbd.is_dir()):
        return
    ids = {*read_ids(lists / "train.txt"), *read_ids(sbd / "train.txt"), *read_ids(sbd / "val.txt")}
    ids -= set(read_ids(lists / "val.txt"))
    write_text(path, "".join(f"{image_id}\n" for image_id in sorted(ids)))
    note = "" if len(ids) == USUAL else f" (the literature has {USUAL})"
    print(f"train_aug.txt: {len(ids)} ids{note}, from VOC's and SBD's lists")
