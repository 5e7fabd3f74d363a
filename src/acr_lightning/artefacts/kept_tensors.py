"""Tensors that take long to make, kept on disk for whoever needs them again."""

import errno
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from acr_lightning.artefacts.atomic import atomic_write

log = logging.getLogger(__name__)
SUFFIX = ".safetensors"
# Of a disk, or of a person's share of it.
FULL = (errno.ENOSPC, errno.EDQUOT)
# Files of its own after which a process looks what the others have written meanwhile; more where there are many: one
# for so many files in the folder, or looking would take longer than making.
LOOK_EVERY, FILES_A_LOOK = 256, 64


class KeptTensors:
    """Lists of tensors by name, a file each, so that all processes that share the folder share the work.

    Nobody waits for anybody: a file appears when it is whole. A process that is killed loses what it was making; two
    that make the same at the same time write the same. Where the disk is full, it is said once, and no more is kept.

    Args:
        folder: of the files; there may be others in it.
        max_gb: of all of these files together, in 10^9 bytes; what would go beyond it is made each time.
    """

    def __init__(self, folder: Path, max_gb: float) -> None:
        self.folder, self.most = folder, int(max_gb * 1e9)
        self.bytes, self.written, self.next_look = 0, 0, 0
        # Loader processes see it, too: one of all says it.
        self.is_full = torch.zeros((), dtype=torch.bool).share_memory_()

    def path(self, name: str) -> Path:
        """The file of a name, which is a digest's hexadecimal digits."""
        return self.folder / name[:2] / f"{name}{SUFFIX}"

    def get(self, name: str, make: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
        """The tensors of that name.

        Args:
            name: a digest of all that they depend on, in hexadecimal digits.
            make: makes them, where they are not kept or their file is damaged.
        """
        try:
            tensors = load(self.path(name).read_bytes())
            return [tensors[str(at)] for at in range(len(tensors))]
        except (FileNotFoundError, SafetensorError, KeyError):
            new_tensors = [one.contiguous() for one in make()]
        content = save({str(at): one for at, one in enumerate(new_tensors)})
        if self.written >= self.next_look:
            sizes = [path.stat().st_size for path in self.folder.glob(f"*/*{SUFFIX}")]
            self.bytes, self.next_look = sum(sizes), self.written + max(LOOK_EVERY, len(sizes) // FILES_A_LOOK)
        self.written += 1
        if self.bytes + len(content) <= self.most:
            self._write(self.path(name), content)
            self.bytes += len(content)
        return new_tensors

    def _write(self, path: Path, content: bytes) -> None:
        """Write a file, unless the disk is or was full: what is kept only saves time."""
        if self.is_full:
            return
        try:
            with atomic_write(path) as file:
                file.write(content)
        except OSError as error:
            if error.errno not in FULL:
                raise
            if not self.is_full:  # nor has another process of this command said so meanwhile
                log.warning("%s: %s; goes on more slowly, and keeps nothing more there", self.folder, error.strerror)
            self.is_full.fill_(True)
