"""The archive that PASCAL VOC's evaluation server takes, and a verifier that says why one is refused."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.own_files import write_own
from acr_lightning.artefacts.palette import label_faults, png_bytes, read_mask, read_stored_mask
from acr_lightning.errors import UserError
from acr_lightning.metrics.folder_scores import require_files

FOLDER = PurePosixPath("results/VOC2012/Segmentation/comp6_test_cls")
NUM_LABELS = 21
SUFFIXES = (".tgz", ".tar.gz")


def write_pack(path: Path, predictions: Path, ids: list[str], stored_labels: NDArray[np.uint8]) -> None:
    """Write a pack: `results/VOC2012/Segmentation/comp6_test_cls/<id>.png`, one for each id, and nothing else.

    The same predictions give the same bytes: no dates, no owners.

    Args:
        path: the archive, `.tgz`; it appears whole or not at all.
        predictions: folder of label maps `<id>.png`, 0 background, 1..K.
        ids: every id of the server's list.
        stored_labels: VOC's own index of each label, `[K + 1]`.

    Raises:
        UserError: a label map is missing, damaged or holds a value that is no label; or the archive's name is wrong, or
            there is a file that this program did not write.
    """
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: the server takes a .tgz; name the pack so")
    require_files(predictions, ids)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for image_id in ids:
            source = item_path(predictions, image_id, ".png")
            labels = read_mask(source, len(stored_labels), unknown=False)
            png = png_bytes(stored_labels[labels])
            member = tarfile.TarInfo(str(FOLDER / f"{image_id}.png"))
            member.size = len(png)
            archive.addfile(member, io.BytesIO(png))
    write_own(path, gzip.compress(content.getvalue(), mtime=0))


def verify_pack(path: Path, sizes: dict[str, tuple[int, int]]) -> None:
    """Check a pack as a whole.

    Args:
        path: the archive.
        sizes: height and width of every photo of the list, by id.

    Raises:
        UserError: it would be refused; the first five reasons are given.
    """
    faults = pack_faults(path, sizes)
    if faults:
        more = f" … and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UserError(f"{path}: no valid pack: {'; '.join(faults[:5])}{more}")


def pack_faults(path: Path, sizes: dict[str, tuple[int, int]]) -> list[str]:
    """Everything for which the server would refuse or misread a pack, each in one sentence that names the member.

    Args:
        path: the archive.
        sizes: height and width of every photo of the list, by id.

    Raises:
        UserError: there is no such file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such pack")
    faults: list[str] = []
    names: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(_whole(path)), mode="r:") as archive:
            for member in archive:
                faults += _member_faults(archive, member, sizes, names)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        return [*faults, f"is no whole tar archive ({str(error).splitlines()[0].rstrip(':')})"]
    missing = [image_id for image_id in sizes if f"{FOLDER / image_id}.png" not in names]
    return faults + [f"{FOLDER / image_id}.png is missing" for image_id in missing]


def _whole(path: Path) -> bytes:
    """An archive to its end, unpacked, checksum included: `tarfile` itself stops at the first block of zeros.

    Raises:
        EOFError: it is cut short, or another kind of archive.
        OSError: its checksum is wrong, or something follows its end.
    """
    content = path.read_bytes()
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    if len(content) % tarfile.BLOCKSIZE or not content.endswith(bytes(2 * tarfile.BLOCKSIZE)):
        raise EOFError("it does not end in two blocks of zeros")
    return content


def _member_faults(
    archive: tarfile.TarFile, member: tarfile.TarInfo, sizes: dict[str, tuple[int, int]], names: set[str]
) -> Iterable[str]:
    """The faults of one member; its name is added to `names`."""
    name = member.name
    if name.startswith("/"):
        return [f"{name} has an absolute path"]
    if ".." in PurePosixPath(name).parts:
        return [f"{name} leads out of the archive"]
    if member.isdir() and PurePosixPath(name) in (FOLDER, *FOLDER.parents):
        return []
    if not member.isfile() or member.issparse():
        return [f"{name} is no plain file"]
    if name in names:
        return [f"{name} is there twice"]
    names.add(name)
    if PurePosixPath(name).parent != FOLDER:
        return [f"{name} does not lie in {FOLDER}"]
    size = sizes.get(PurePosixPath(name).stem)
    if size is None or not name.endswith(".png"):
        return [f"{name} is not on the list"]
    content = archive.extractfile(member)
    assert content is not None  # a plain file
    return _label_map_faults(name, content.read(), size)


def _label_map_faults(name: str, content: bytes, size: tuple[int, int]) -> list[str]:
    """The faults of one label map, whose photo has a size."""
    try:
        mask = read_stored_mask(content, name)
    except UserError as error:
        return [str(error).partition("; ")[0]]
    faults = [f"{name} {fault}" for fault in label_faults(mask.labels, NUM_LABELS, size, unknown=False).values()]
    if mask.file_format != "PNG":
        faults.append(f"{name} is a {mask.file_format} file, not a PNG")
    if mask.colours is None:
        faults.append(f"{name} is grey, it must have VOC's palette")
    if wrong := mask.wrong_colours():
        faults.append(f"{name}: the palette's colour of label {wrong[0]} is not VOC's")
    return faults
