"""Checkpoints on disk: whole or absent, and told apart from damaged ones.

A checkpoint is the ZIP archive that `torch.save` writes, and its comment is `sha256:…` of all bytes before. Torch reads
it like any other, but does not look at the archive's own checksums: a tensor with a flipped byte would pass.
"""

import hashlib
import os
from pathlib import Path
from typing import IO, Any

from acr_lightning.artefacts.atomic import atomic_path
from acr_lightning.errors import UserError

MARK = b"sha256:"
SEAL_LENGTH = len(MARK) + 2 * hashlib.sha256().digest_size
BLOCK = 2**20


def write(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint beside its place and rename it, so that the one before stays until this one is whole.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    import torch

    with atomic_path(path) as temporary, temporary.open("wb+") as file:
        try:
            torch.save(checkpoint, file)
        except RuntimeError as error:  # torch's writer closes its archive, which fails again
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        # The last two bytes of an archive are the length of its comment.
        file.seek(-2, os.SEEK_END)
        file.write(SEAL_LENGTH.to_bytes(2, "little"))
        file.write(MARK + _sha256(file, file.tell()))


def read(path: str | Path, made_by: str = "the same command") -> dict[str, Any]:
    """Read a checkpoint on the CPU, without unpickling code; one that nobody sealed is read unverified.

    Args:
        path: the file.
        made_by: what makes it again, for the message.

    Raises:
        UserError: the file is damaged, or no checkpoint.
        OSError: it cannot be opened.
    """
    import torch

    with Path(path).open("rb") as file:
        try:
            length = file.seek(0, os.SEEK_END)
            if (seal := _seal(file)) and seal != _sha256(file, length - SEAL_LENGTH):
                raise ValueError("its checksum is wrong")
            file.seek(0)
            checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch, zipfile and pickle each raise their own
            reason = str(error).partition("\n")[0]
            raise UserError(f"{path}: not a readable checkpoint ({reason}); {way_on(made_by)}") from None
    return checkpoint


def way_on(made_by: str) -> str:
    """What to do about a checkpoint that cannot be used."""
    return f"put back a copy of it, or delete it, and {made_by} begins again"


def stored_digest(path: Path) -> str | None:
    """The SHA-256 that a checkpoint carries, not verified; None where there is no file, or one that carries none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        seal = _seal(file)
    return None if seal is None else seal.decode(errors="replace")


def _seal(file: IO[bytes]) -> bytes | None:
    """The hexadecimal digest at the end of a file."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - SEAL_LENGTH))
    mark, digest = file.read(len(MARK)), file.read()
    return digest if mark == MARK else None


def _sha256(file: IO[bytes], length: int) -> bytes:
    """The hexadecimal digest of the first `length` bytes; the file then stands behind them."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(min(BLOCK, length - file.tell())):
        digest.update(block)
    return digest.hexdigest().encode()
