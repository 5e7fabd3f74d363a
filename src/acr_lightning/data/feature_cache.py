"""The maps that a frozen network makes of whole photos, computed once and kept on disk in half precision."""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from acr_lightning.artefacts.atomic import write_json
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError

log = logging.getLogger(__name__)
INDEX = "index.json"
# Photos that go through the network together.
BATCH = 16
# A channel that is almost always 0 is not made large.
LEAST_DEVIATION = 1e-3


class FeatureSource(Protocol):
    """A network whose maps can be kept."""

    def source(self) -> Mapping[str, Any]:
        """What the maps depend on."""

    def normalise(self, image: Tensor) -> Tensor:
        """`[B, 3, H, W]` in `[0, 1]` to the range that the network was trained with."""

    def maps(self, image: Tensor) -> list[Tensor]:
        """Normalised images `[B, 3, H, W]` to maps `[B, C_i, h_i, w_i]`."""


class FeatureCache:
    """Photos of one size and their maps, as they are and mirrored, read from disk as they are asked for.

    Attributes:
        images: `[N, size, size, 3]` bytes.
        maps: each `[N, 2, h, w, C]` in half precision, divided by the deviations; the second is of the mirror image.
        deviations: of each map, the root mean square of each channel, but at least 0.001.

    Args:
        folder: that `make_cache` has made.

    Raises:
        UserError: it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            index = json.loads((folder / INDEX).read_text())
            self.deviations: list[list[float]] = index["deviations"]
            self.images: NDArray[np.uint8] = np.load(folder / "images.npy", mmap_mode="r")
            self.maps: list[NDArray[np.float16]] = [
                np.load(folder / f"map_{at}.npy", mmap_mode="r") for at in range(len(self.deviations))
            ]
            photos, size = len(index["ids"]), index["size"]
            if (self.images.dtype, self.images.shape) != (np.uint8, (photos, size, size, 3)):
                raise ValueError("photos of another number or size")
            for one, deviations in zip(self.maps, self.deviations, strict=True):
                if (
                    one.dtype != np.float16
                    or one.ndim != 5
                    or (*one.shape[:2], one.shape[4]) != (photos, 2, len(deviations))
                ):
                    raise ValueError("maps of another number or shape")
        except Exception as error:  # JSON and NumPy's reader each raise their own
            reason = str(error).partition("\n")[0]
            raise UserError(f"{folder}: damaged cache of features ({reason}); remove the folder") from None


def cache_folder(root: Path, dataset: TaggedDataset, ids: Sequence[str], size: int, source: Mapping[str, Any]) -> Path:
    """Where the cache of these photos lies: named by what its content depends on."""
    stats = [(image_id, (stat := dataset.image_path(image_id).stat()).st_size, stat.st_mtime_ns) for image_id in ids]
    text = json.dumps([stats, size, source], sort_keys=True)
    return root / hashlib.sha256(text.encode()).hexdigest()[:16]


@torch.no_grad()
def make_cache(
    folder: Path,
    dataset: TaggedDataset,
    ids: Sequence[str],
    size: int,
    source: FeatureSource,
    device: torch.device,
) -> None:
    """Fill a folder, which appears when it is whole.

    Args:
        folder: of the cache.
        dataset: of the photos.
        ids: in the order of the cache.
        size: photos are squashed to this square, pixels.
        source: the network, on `device` and in eval mode.
        device: where it computes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        images = np.lib.format.open_memmap(temporary / "images.npy", "w+", np.uint8, (len(ids), size, size, 3))
        stores: list[Any] = []
        squares: list[Tensor] = []
        for start in range(0, len(ids), BATCH):
            rows = slice(start, min(start + BATCH, len(ids)))
            images[rows] = np.stack([squashed(dataset.image(image_id), size) for image_id in ids[rows]])
            photos = torch.from_numpy(images[rows].copy()).permute(0, 3, 1, 2).to(device) / 255
            for mirror in (0, 1):
                maps = source.maps(source.normalise(photos.flip(-1) if mirror else photos))
                if not stores:
                    stores = [_memory_map(temporary / f"map_{at}.npy", len(ids), one) for at, one in enumerate(maps)]
                    squares = [torch.zeros(one.shape[1], dtype=torch.float64) for one in maps]
                for store, square, one in zip(stores, squares, maps, strict=True):
                    store[rows, mirror] = one.movedim(1, -1).half().cpu().numpy()
                    square += one.double().square().mean(dim=(2, 3)).sum(dim=0).cpu()
        deviations = [(square / (2 * len(ids))).sqrt().clamp(min=LEAST_DEVIATION).tolist() for square in squares]
        for store, each in zip(stores, deviations, strict=True):
            for row in range(len(ids)):
                store[row] = store[row] / np.array(each, np.float32)
        for store in (images, *stores):
            store.flush()
        write_json(temporary / INDEX, {"ids": list(ids), "size": size, "deviations": deviations})
        size_mb = sum(file.stat().st_size for file in temporary.iterdir()) / 1e6
        os.replace(temporary, folder)
        log.info("%s: %.0f MB of what the backbone makes of %d photos, kept for other runs", folder, size_mb, len(ids))
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if not (folder / INDEX).is_file():  # else another process was as fast
            raise


def squashed(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """`[H, W, 3]` to `[size, size, 3]`, whatever its proportions."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def _memory_map(path: Path, photos: int, maps: Tensor) -> Any:
    # Channels last: a 1×1 convolution of it is one product of matrices.
    channels, *grid = maps.shape[1:]
    return np.lib.format.open_memmap(path, "w+", np.float16, (photos, 2, *grid, channels))
