"""How often a step of each method makes the host wait for the GPU, as torch itself counts it."""

import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from cases import COPIES, SYNCS, label_batch, methods, networks, photo_batch
from lightning.pytorch import Callback
from recorder import where

from benchmarks.gpu_proof.row import Row, judged, needs_gpu
from benchmarks.gpu_proof.training import train


class Waits(Callback):
    """Counts, in the second batch, what torch calls a synchronizing CUDA operation, by the function that does it."""

    def __init__(self) -> None:
        self.counted = Counter[str]()

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.before, self.on_gpu = warnings.catch_warnings(), module.device.type == "cuda"
        self.before.__enter__()
        if batch_idx == 1:
            warnings.simplefilter("always")
            warnings.showwarning = self._count
            if self.on_gpu:
                torch.cuda.set_sync_debug_mode("warn")

    def on_train_batch_end(self, *_: Any) -> None:
        if self.on_gpu:
            torch.cuda.set_sync_debug_mode("default")
        self.before.__exit__(None, None, None)

    def _count(self, message: Warning | str, *_: Any) -> None:
        if "synchronizing CUDA operation" in str(message):
            self.counted[where() or "torch"] += 1


def check(device: str) -> Iterator[Row]:
    """A row for each method and network."""
    with tempfile.TemporaryDirectory() as folder:
        for name, build in (methods(Path(folder)) | networks()).items():
            waits, what = Waits(), f"waits in a step of {name}"
            batch = label_batch() if name in networks() else photo_batch()
            try:
                train(build(), [batch, batch], device, waits)
            except Exception as error:
                yield judged(what, False, f"{type(error).__name__}: {error}".splitlines()[0])
            else:
                yield needs_gpu(what, "trains") if device == "cpu" else held_to_the_list(what, waits.counted)


def held_to_the_list(what: str, counted: Counter[str]) -> Row:
    """What waits, and how often, may be what the fake GPU's tests allow."""
    allowed = Counter[str]()
    for asked, count in [*SYNCS.items(), *COPIES.items()]:
        allowed[asked.rpartition(" in ")[2]] += count
    value = ", ".join(f"{count} in {function}" for function, count in counted.items()) or "none"
    beyond = ", ".join(counted - allowed)
    return judged(what, not beyond, f"{value}; too many in {beyond}" if beyond else value)
