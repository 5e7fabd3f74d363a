"""A batch of photos as methods take it."""

from dataclasses import dataclass, fields
from typing import Any, Self

from torch import Tensor

from acr_lightning.nets.classifier import Classifier


@dataclass
class PhotoBatch:
    """Photos and their tags; methods add what they draw. Each field begins with the photos, or is None.

    Attributes:
        image: in `[0, 1]`, `[B, 3, H, W]`; each network normalises for itself.
        tags: `y`, `[B, K]` of 0 and 1.
        maps: what a frozen backbone made of them, finest first, if that is kept.
    """

    image: Tensor
    tags: Tensor
    maps: list[Tensor] | None = None

    def seen_by(self, network: Classifier) -> Any:
        """What a network is given: images as it was trained with, or the maps that are kept of them."""
        return network.normalise(self.image) if self.maps is None else self.maps

    def split(self, size: int) -> list[Self]:
        """Parts of `size` photos each, for gradient accumulation."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return [
            type(self)(**{name: _rows(value, slice(start, start + size)) for name, value in values.items()})
            for start in range(0, len(self.image), size)
        ]


@dataclass(kw_only=True)
class Photos(PhotoBatch):
    """Photos for a method of one classifier.

    Attributes:
        drawn: a random number in `[0, 1)` for each, the same on any number of devices, `[B]`; it stays on the CPU.
        valid: False where a crop is padded, `[B, H, W]`; None where nothing is.
    """

    drawn: Tensor
    valid: Tensor | None = None


def _rows(value: Any, rows: slice) -> Any:
    if isinstance(value, list):
        return [one[rows] for one in value]
    return None if value is None else value[rows]
