"""What the processes of a training tell each other; nothing where there is one."""

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
    if not _are_several():
        return rows
    # `EpochSampler` gives the photos of a global batch to the processes in turn.
    return torch.stack(torch.distributed.nn.functional.all_gather(rows.contiguous()), dim=1).flatten(0, 1)


def mean_of_processes(*values: Tensor) -> None:
    """Replace each of some tensors by its mean over the processes, all by one message.

    Args:
        values: as many and as large in every process.
    """
    if not _are_several():
        return
    message = torch.cat([value.flatten() for value in values])
    dist.all_reduce(message)
    means = message.div_(dist.get_world_size()).split([value.numel() for value in values])
    for value, mean in zip(values, means, strict=True):
        value.copy_(mean.view_as(value))


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized()
