"""Rows of the whole batch, for losses that compare photos with each other."""

import torch
import torch.distributed as dist
import torch.distributed.nn.functional
from torch import Tensor


def of_whole_batch(rows: Tensor) -> Tensor:
    """The rows of all processes, in the order that one process would have them; as they are where there is one.

    A loss of these is the same in every process, and the mean of the processes' gradients is that of one process.

    Args:
        rows: of this process's photos, or of their cells, the same number in all processes, `[B, ...]`.

    Returns:
        `[processes · B, ...]`.
    """
    if not (dist.is_available() and dist.is_initialized()):
        return rows
    # `EpochSampler` gives the photos of a global batch to the processes in turn.
    return torch.stack(torch.distributed.nn.functional.all_gather(rows.contiguous()), dim=1).flatten(0, 1)
