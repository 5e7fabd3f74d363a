"""What one step works on, drawn once for both updates."""

from typing import NamedTuple

from torch import Tensor


class StepInput(NamedTuple):
    """The images of a step and what was drawn for them.

    Attributes:
        image: `x`, normalised, `[B, 3, H, W]`.
        tags: `y`, `[B, K]` of 0 and 1.
        target: `t`, one tagged class per image, `[B]`.
        removal: SRF's `M` at the working size, `[B, 1, h, w]` of 0 and 1; None without SRF.
    """

    image: Tensor
    tags: Tensor
    target: Tensor
    removal: Tensor | None = None

    def split(self, parts: int) -> list["StepInput"]:
        """Equal parts, for gradient accumulation.

        Args:
            parts: a divisor of B.
        """
        size = len(self.image) // parts
        removal = [None] * parts if self.removal is None else self.removal.split(size)
        return [
            StepInput(*part)
            for part in zip(
                self.image.split(size), self.tags.split(size), self.target.split(size), removal, strict=True
            )
        ]
