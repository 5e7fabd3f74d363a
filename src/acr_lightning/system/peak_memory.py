"""The most memory that this process has used."""

import resource
import sys


def peak_megabytes() -> float:
    """Of a GPU if torch uses one here, the fullest of several; of the process otherwise. A megabyte is 2^20 bytes."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        most = max(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count()))
        return float(most / 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
