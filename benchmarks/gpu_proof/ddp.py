"""One process that talks to itself, by NCCL (gloo on a CPU): the same weights, by one message an update."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from cases import methods, photo_batch

from acr_lightning.training.one_message import OneMessage
from benchmarks.gpu_proof.row import Row, judged
from benchmarks.gpu_proof.training import digest, train

STEPS, NETWORKS = 3, 2


def check(device: str) -> Iterator[Row]:
    """Some steps of ACR, with and without processes."""
    backend = "gloo" if device == "cpu" else "nccl"
    torch.manual_seed(0)
    batches, digests = [photo_batch() for _ in range(STEPS)], []
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(dist, "all_reduce", wraps=dist.all_reduce) as send:
        for options in ({}, {"strategy": OneMessage(process_group_backend=backend)}):
            torch.manual_seed(0)
            module: Any = methods(Path(folder))["ACR"]()
            train(module, batches, device, deterministic=True, **options)
            digests.append(digest(module.state_dict()))
    messages = sum(call.args[0].is_floating_point() for call in send.call_args_list)  # Lightning sends numbers, too
    value = f"weights {' and '.join(digests)}; {messages} messages in {STEPS} steps of {NETWORKS} networks"
    yield judged(f"one process by {backend}", len({*digests}) == 1 and messages == STEPS * NETWORKS, value)
