"""How often each level wins among the CAMs of a folder: what a threshold is chosen by, without reading them again.

Whoever writes CAMs counts them, and leaves a part now and then: ids and their counts. Who ends the stage adds the parts
up, reads what nobody counted (a kill came between), and writes `histogram.json` beside the CAMs.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.artefacts.cam_file import LEVELS, read_cam, to_levels, write_cam
from acr_lightning.artefacts.item_path import item_path

NAME, PARTS = "histogram.json", ".histogram-*.json"
# Photos in a part: what a kill leaves uncounted.
MOST = 500


class CountedCams:
    """Writes CAMs into a folder, and counts their levels; every process has its own.

    Args:
        folder: of the files.
        train: ids of the photos that are counted by themselves, too.
    """

    def __init__(self, folder: Path, train: Iterable[str]) -> None:
        self.folder, self.train = folder, set(train)
        self._begin()

    def _begin(self) -> None:
        self.ids: list[str] = []
        self.sums = np.zeros((2, LEVELS + 1), np.int64)

    def write(self, path: Path, classes: NDArray[np.int64], scores: NDArray[np.float32], *background: Any) -> None:
        """Write one CAM, and count it (see `write_cam`)."""
        write_cam(path, classes, scores, *background)
        image_id = path.relative_to(self.folder).with_suffix("").as_posix()
        self.ids.append(image_id)
        self.sums += _rows(winning(to_levels(scores)), image_id in self.train)
        if len(self.ids) >= MOST:
            self.leave()

    def leave(self) -> None:
        """Leave what was counted for who ends the stage."""
        if self.ids:
            part = self.folder / PARTS.replace("*", secrets.token_hex(8))
            write_json(part, {"ids": self.ids, "sums": self.sums.tolist()})
            self._begin()


def winning(levels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels by the level of their winning score, `[256]`, of a CAM's levels `[P, H, W]`; none where P is 0."""
    if not len(levels):
        return np.zeros(LEVELS + 1, np.int64)
    return np.bincount(levels.max(axis=0).ravel(), minlength=LEVELS + 1)


def _winning_in(folder: Path, image_id: str) -> NDArray[np.int64]:
    return winning(read_cam(item_path(folder, image_id, ".npz")).levels)


def _rows(histogram: NDArray[np.int64], is_train: bool) -> NDArray[np.int64]:
    """Of all photos, and of those of `train`, `[2, 256]`."""
    return np.stack([histogram, histogram * is_train])


def add_up(folder: Path, ids: Sequence[str], train: Sequence[str]) -> None:
    """Write `histogram.json` of a whole folder of CAMs.

    Args:
        folder: with the CAM of every id.
        ids: of all photos.
        train: those of the split, each among `ids`.
    """
    rest, in_train, sums = set(ids), set(train), np.zeros((2, LEVELS + 1), np.int64)
    parts = sorted(folder.glob(PARTS))
    for path in parts:
        part_ids, part_sums = _part(path)
        # A photo that was made twice is in two parts, of which one is left out; so is what is of other photos.
        if part_ids and rest.issuperset(part_ids) and len(set(part_ids)) == len(part_ids):
            rest.difference_update(part_ids)
            sums += part_sums
    for image_id in rest:
        sums += _rows(_winning_in(folder, image_id), image_id in in_train)
    photos = [_digest(ids), _digest(train)]
    write_json(folder / NAME, {"photos": photos, "pixels": sums.tolist()})
    for path in parts:
        path.unlink(missing_ok=True)


def _part(path: Path) -> tuple[list[str], NDArray[np.int64]]:
    """What a part says; nothing where it is none, for the file may be anybody's."""
    sums = np.zeros((2, LEVELS + 1), np.int64)
    try:
        content = json.loads(path.read_text())
        return list(map(str, content["ids"])), sums + np.array(content["sums"], np.int64).reshape(sums.shape)
    except (OSError, ValueError, TypeError, KeyError):
        return [], sums


def histogram(folder: Path, ids: Sequence[str]) -> NDArray[np.int64]:
    """Pixels by the level of their winning score, `[256]`, over the CAMs of these photos.

    They are read where `histogram.json` is not of these photos, or is not there: an older run's, or another program's.

    Raises:
        UserError: a CAM is missing or damaged.
    """
    try:
        content = json.loads((folder / NAME).read_text())
        row = content["photos"].index(_digest(ids))
        return np.array(content["pixels"], np.int64).reshape(2, LEVELS + 1)[row]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return sum(_winning_in(folder, image_id) for image_id in ids) + np.zeros(LEVELS + 1, np.int64)


def _digest(ids: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
