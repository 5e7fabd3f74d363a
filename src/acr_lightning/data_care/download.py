"""`acr data download`: fetch, verify, unpack, and put each folder where the shipped experiments look for it."""

import os
from pathlib import Path

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from acr_lightning.data_care.fetch import fetch
from acr_lightning.data_care.sources import SOURCES, Archive
from acr_lightning.data_care.train_aug import USUAL, write_train_aug
from acr_lightning.data_care.unpack import unpack
from acr_lightning.errors import UserError, nearest


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
        places = [folder / place for place in archive.places.values()]
        if all(map(os.path.isdir, places)):
            lines.append(f"{archive.name}: unpacked before, in {', '.join(map(str, places))}")
            continue
        path = _fetch(archive if mirror is None else _at(archive, mirror), folder / "archives")
        unpack(path, folder, archive.places)
        lines.append(f"{archive.name}: verified, unpacked into {', '.join(map(str, places))}; {path} may be removed")
    return lines + _train_aug(folder)


def _fetch(archive: Archive, folder: Path) -> Path:
    columns = (TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(archive.name, total=archive.size)
        return fetch(archive, folder, lambda done: progress.update(task, completed=done))


def _at(archive: Archive, mirror: str) -> Archive:
    return archive._replace(urls=(f"{mirror.rstrip('/')}/{archive.name}",))


def _train_aug(folder: Path) -> list[str]:
    """The augmented list, as soon as VOC and SBD are both there."""
    voc, sbd = folder / "VOC2012", folder / "SBD"
    if not (voc.is_dir() and sbd.is_dir()) or (voc / "ImageSets" / "Segmentation" / "train_aug.txt").is_file():
        return []
    count = write_train_aug(voc, sbd)
    note = "" if count == USUAL else f" (the literature has {USUAL})"
    return [f"train_aug.txt: {count} ids{note}, from VOC's and SBD's lists"]
