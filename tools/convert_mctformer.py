"""MCTformer's published checkpoints (V2 or +) as ones of stage `fit`.

    python tools/convert_mctformer.py SOURCE mct.ckpt

The result makes CAMs, `acr cam --model.checkpoint=mct.ckpt`, or is where a training starts, `fit.model.initial:
mct.ckpt` with the same classifier.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from acr_lightning.artefacts.atomic import atomic_path, require_replaceable
from acr_lightning.errors import UserError
from acr_lightning.nets.checkpoint import NETWORK, PART
from acr_lightning.nets.vit.mctformer import MCTFormer
from acr_lightning.nets.weights import file_state, misfit

# DeiT by the width of its tokens.
BACKBONES = {size: f"deit_{name}_patch16_224" for size, name in ((192, "tiny"), (384, "small"), (768, "base"))}
# What MCTformer+ does otherwise than V2, by whose names a file is recognised: its positions are two tensors.
PLUS = {"layers": None, "fusion": "root", "pooling": "rank", "contrast": 1.0}
OWN_NAMES = {"cls_token": "class_tokens", "pos_embed_cls": "class_positions", "pos_embed_pat": "patch_positions"}


def main(words: list[str] | None = None) -> int:
    """Convert a file; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="the authors' file")
    parser.add_argument("target", type=Path, help="the checkpoint that is written")
    parser.add_argument("--force", action="store_true", help="replace the target")
    options = parser.parse_args(words)
    try:
        require_replaceable(options.target, "a file")
        if options.target.exists() and not options.force:
            raise UserError(f"{options.target}: exists; --force replaces it")
        published = read_published(options.source)
        write_as_fit(published.network, options.target)
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    unused = ", ".join(published.unused) or "none"
    print(f"{options.target}: of {options.source} {published.used} tensors are used; not used: {unused}")
    return 0


class Published(NamedTuple):
    """A published classifier.

    Attributes:
        network: with the file's weights.
        used: how many of the file's tensors it has.
        unused: the names of the others.
    """

    network: MCTFormer
    used: int
    unused: list[str]


def read_published(path: Path) -> Published:
    """MCTformer-V2's or MCTformer+'s classifier from a file of its authors' (xulianuwa/MCTformer, `{"model": …}`).

    Raises:
        UserError: the file cannot be read, or lacks a tensor or has one of another shape.
    """
    state = file_state(str(path))
    tokens = state.get("cls_token")
    if tokens is None or tokens.dim() != 3 or tokens.shape[2] not in BACKBONES or "head.weight" not in state:
        raise UserError(f"{path}: holds no MCTformer on DeiT (a `cls_token` of [1, K, 192, 384 or 768], a `head`)")
    classes = tokens.shape[1]
    plus = PLUS if "pos_embed_cls" in state else {}
    network = MCTFormer(classes, BACKBONES[tokens.shape[2]], None, **plus)  # type: ignore[arg-type]
    found = {_own_name(name): tensor for name, tensor in state.items()}
    if (positions := found.pop("vit.pos_embed", None)) is not None:
        found |= {"class_positions": positions[:, :classes], "patch_positions": positions[:, classes:]}
    wanted = network.state_dict()
    if fault := misfit(wanted, found):
        raise UserError(f"{path}: does not fit {BACKBONES[tokens.shape[2]]}: {fault}")
    network.load_state_dict({name: found[name] for name in wanted})
    unused = [name for name in state if _own_name(name) not in wanted and name != "pos_embed"]
    return Published(network.eval(), len(state) - len(unused), unused)


def write_as_fit(network: MCTFormer, target: Path) -> None:
    """Write a classifier as stage `fit` would have left it."""
    state: dict[str, Tensor] = {f"classifier.{name}": tensor for name, tensor in network.state_dict().items()}
    with atomic_path(target) as temporary:
        torch.save({NETWORK: network.description(), PART: "classifier", "state_dict": state}, temporary)


def _own_name(name: str) -> str:
    """A published tensor's name here."""
    head, dot, rest = name.partition(".")
    return f"classify.{rest}" if head == "head" and dot else OWN_NAMES.get(name, f"vit.{name}")


if __name__ == "__main__":
    sys.exit(main())
