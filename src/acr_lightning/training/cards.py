"""Which GPU holds a training step, and how long it takes at least."""

from typing import NamedTuple

# Of its peak rate: language models with nothing but matrix products reach this (PaLM 46 %, JMLR 2023, Table 3).
REACHED = 0.4
# Of its memory, for tensors: the rest goes to CUDA's context, cuDNN's workspace and what lies between tensors.
USABLE = 0.85
SIZES = (8, 12, 24, 40, 80)  # GiB


class Card(NamedTuple):
    """A GPU's peak rates, in TFLOP/s, of dense matrices.

    Attributes:
        name: of the GPU.
        half: 16 bits, summed in 32.
        single: TF32, in which convolutions are by default where a precision is of 32 bits.
    """

    name: str
    half: float
    single: float

    def hours(self, work: float, is_half: bool) -> float:
        """How long some floating-point operations take."""
        return work / (REACHED * (self.half if is_half else self.single) * 1e12 * 3600)


CARDS = (
    Card("RTX 4090", 165.2, 82.6),  # NVIDIA Ada GPU Architecture, v2.02, Appendix A
    Card("A100", 312.0, 156.0),  # NVIDIA A100 Tensor Core GPU, data sheet, 2021
    Card("H100 SXM", 989.4, 494.7),  # NVIDIA H100 Tensor Core GPU Architecture, v1.04, Table 2
)


def smallest(memory: int) -> int | None:
    """The smallest of `SIZES`, in GiB, that holds so many bytes; None if none does."""
    return next((size for size in SIZES if memory <= USABLE * size * 2**30), None)
