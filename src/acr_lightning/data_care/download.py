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


def download(name: str, folder: Path, mirror: str | None = None) -> list[str]:
    """Get a data set; what is there already is left as it is.

    Args:
        name: a key of `SOURCES`.
        folder: of all data; archives are kept in `archives` below it.
        mirror: an address under which the archives lie, instead of the publishers'.

    Returns:
        What was done, for people.

    Raises:
        UserError: there is no such data set, or something could not be downloaded or unpacked.
    """
    if name not in SOURCES:
        raise UserError(f"no data set '{name}'.{nearest(name, SOURCES)} Known: {', '.join(SOURCES)}")
    lines = []
    for archive in SOURCES[name]:
        place = folder / archive.place
        if place.is_dir():
            lines.append(f"{archive.name}: unpacked before, in {place}")
            continue
        if mirror is not None:
            archive = archive._replace(urls=(f"{mirror.rstrip('/')}/{archive.name}",))
        path = _fetch(archive, folder / "archives")
        unpack(path, folder, archive.inside, archive.place)
        lines.append(f"{archive.name}: verified, unpacked into {place}; {path} may be removed")
    return lines + _train_aug(folder)


def _fetch(archive: Archive, folder: Path) -> Path:
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(archive.name, total=archive.size)
        return fetch(archive, folder, lambda done: progress.update(task, completed=done))


def _train_aug(folder: Path) -> list[str]:
    """VOC's augmented list, its train and all of SBD without its val, as soon as VOC and SBD are both there.

    Only ids: the tags of all of them come from VOC's `Annotations`.
    """
    lists, sbd = folder / "VOC2012" / "ImageSets" / "Segmentation", folder / "SBD"
    path = lists / "train_aug.txt"
    if path.is_file() or not (lists.is_dir() and sbd.is_dir()):
        return []
    ids = {*read_ids(lists / "train.txt"), *read_ids(sbd / "train.txt"), *read_ids(sbd / "val.txt")}
    ids -= set(read_ids(lists / "val.txt"))
    write_text(path, "".join(f"{image_id}\n" for image_id in sorted(ids)))
    note = "" if len(ids) == USUAL else f" (the literature has {USUAL})"
    return [f"train_aug.txt: {len(ids)} ids{note}, from VOC's and SBD's lists"]
