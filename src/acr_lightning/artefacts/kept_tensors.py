"""Tensors that take long to make, kept on disk for whoever needs them again."""

from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from acr_lightning.artefacts.atomic import atomic_write

SUFFIX = ".safetensors"
# Files of its own after which a process looks what the others have written meanwhile; more where there are many: one
# for so many files in the folder, or looking would take longer than making.
LOOK_EVERY, FILES_A_LOOK = 256, 64


class KeptTensors:
    """Lists of tensors by name, a file each, so that all processes that share the folder share the work.

    Nobody waits for anybody: a file appears when it is whole. A process that is killed loses what it was making; two
    that make the same at the same time write the same.

    Args:
        folder: of the files; there may be others in it.
        max_gb: of all of these files together, in 10^9 bytes; what would go beyond it is made each time.
    """

    def __init__(self, folder: Path, max_gb: float) -> None:
        self.folder, self.most = folder, int(max_gb * 1e9)
        self.bytes, self.written, self.next_look = 0, 0, 0

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
            with atomic_write(self.path(name)) as file:
                file.write(content)
            self.bytes += len(content)
        return new_tensors
