"""The archive that PASCAL VOC's evaluation server takes."""

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.own_files import write_own
from acr_lightning.artefacts.palette import png_bytes, read_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.folder_scores import require_files

FOLDER = PurePosixPath("results/VOC2012/Segmentation/comp6_test_cls")
SUFFIXES = (".tgz", ".tar.gz")


def write_pack(
    path: Path, predictions: Path, sizes: Mapping[str, tuple[int, int]], stored_labels: NDArray[np.uint8]
) -> None:
    """Write a pack: `results/VOC2012/Segmentation/comp6_test_cls/<id>.png`, one for each id, and nothing else.

    The same predictions give the same bytes: no dates, no owners.

    Args:
        path: the archive, `.tgz`; it appears whole or not at all.
        predictions: folder of label maps `<id>.png`, 0 background, 1..K.
        sizes: height and width of every photo of the server's list, by id.
        stored_labels: VOC's own index of each label, `[K + 1]`.

    Raises:
        UserError: a label map is missing, damaged, not as large as its photo or holds a value that is no label; or the
            archive's name is wrong, or there is a file that this program did not write.
    """
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: the server takes a .tgz; name the pack so")
    require_files(predictions, list(sizes))
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image_id, size in sizes.items():
            source = item_path(predictions, image_id, ".png")
            labels = read_mask(source, len(stored_labels), size, unknown=False)
            png = png_bytes(stored_labels[labels])
            member = tarfile.TarInfo(str(FOLDER / f"{image_id}.png"))
            member.size = len(png)
            archive.addfile(member, io.BytesIO(png))
    write_own(path, gzip.compress(content.getvalue(), mtime=0))
