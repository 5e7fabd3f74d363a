"""What training needs of an `instances_*.json`, in one small file: the JSON is parsed once, by one process."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.atomic import atomic_write
from acr_lightning.data.coco_annotations import read_annotations
from acr_lightning.errors import UserError

log = logging.getLogger(__name__)
NAME = "index.npz"
# Another version is another folder: an index of an older program is made again.
VERSION = 2


@dataclass(frozen=True)
class CocoIndex:
    """The photos of one JSON.

    Attributes:
        folder: of everything that is derived from the JSON.
        class_names: of the JSON's categories, in its order.
        files: names of the photos, `[N]`, in the order of the JSON.
        tagged: whether a photo has an object of a class, `[N, K]`.
    """

    folder: Path
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    tagged: NDArray[np.bool_]

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each id; an id is a photo's file name without the suffix."""
        return {PurePosixPath(file).stem: row for row, file in enumerate(self.files)}


def read_index(annotations: Path, cache: Path) -> CocoIndex:
    """The index of a JSON; the first call makes it.

    Args:
        annotations: `instances_*.json`.
        cache: folder under which the index is kept, by the JSON's name, size and time of change.

    Raises:
        UserError: the JSON is missing, damaged or no COCO annotation, or the cache cannot be written to.
    """
    folder = cache / f"{annotations.stem}-{_key(annotations)}"
    if (folder / NAME).is_file():
        try:
            return _load(folder)
        except Exception as error:  # zipfile, zlib and NumPy's reader each raise their own
            log.warning("%s: damaged index (%s), made again", folder / NAME, error)
    log.info("%s: read once, for the index %s", annotations, folder / NAME)
    pairs = dict[tuple[Any, Any], Any]()  # of a photo and a category, with an annotation's id
    content = read_annotations(
        annotations, lambda one: pairs.setdefault((one["image_id"], one["category_id"]), one["id"])
    )
    names = [category["name"] for category in content["categories"]]
    files = [image["file_name"] for image in content["images"]]
    try:
        with atomic_write(folder / NAME) as file:
            np.savez_compressed(file, class_names=names, files=files, tagged=_tagged(content, pairs, annotations))
    except OSError as error:
        raise UserError(
            f"{folder}: cannot be written ({error.strerror}); set dataset.cache to a folder of your own"
        ) from None
    return _load(folder)


def _key(path: Path) -> str:
    try:
        state = path.stat()
    except OSError:
        raise UserError(
            f"{path}: no such file; set dataset.root to the folder that holds annotations/, and dataset.year"
        ) from None
    return hashlib.sha256(f"{VERSION} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:8]


def _load(folder: Path) -> CocoIndex:
    with np.load(folder / NAME, allow_pickle=False) as arrays:
        names, files = (tuple(arrays[name].tolist()) for name in ("class_names", "files"))
        return CocoIndex(folder, names, files, arrays["tagged"])


def _tagged(content: dict[str, Any], pairs: Mapping[tuple[Any, Any], Any], where: Path) -> NDArray[np.bool_]:
    """Whether each photo of COCO annotations shows each class, `[N, K]`; crowds count as well.

    Raises:
        UserError: a photo or a category is listed twice, or an annotation names an unknown one.
    """
    images = content["images"]
    rows = {image["id"]: row for row, image in enumerate(images)}
    stems = {PurePosixPath(image["file_name"]).stem for image in images}
    if len(rows) < len(images) or len(stems) < len(images):
        raise UserError(f"{where}: a photo is listed twice")
    columns = {category["id"]: column for column, category in enumerate(content["categories"])}
    if len(columns) < len(content["categories"]):
        raise UserError(f"{where}: a category is listed twice")
    tagged = np.zeros((len(images), len(columns)), bool)
    for (image, category), annotation in pairs.items():
        row, column = rows.get(image), columns.get(category)
        if row is None or column is None:
            raise UserError(
                f"{where}: annotation {annotation} names the unknown "
                + (f"photo {image}" if row is None else f"category {category}")
            )
        tagged[row, column] = True
    return tagged
