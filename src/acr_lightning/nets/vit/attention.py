"""Blocks of timm's ViT that tell their attention: the mean over the heads, and no softmax is kept for the gradient.

A block's softmax lives while the block is computed, and again while its gradient is: one of all blocks and heads,
`[L, B, heads, N, N]`, never exists.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Of softmaxes and their sums, whatever the tokens are in.
WIDE = torch.float32


class Reading(NamedTuple):
    """What is read of all blocks; N = K + P tokens, the K class tokens first.

    Attributes:
        tokens: after each block, `[B, N, C]`.
        classes: what class tokens look at, summed over the last blocks, `[B, K, P]`.
        patches: what patches look at, summed over all blocks, `[B, P, P]`, rows are queries; None if it is not asked.
    """

    tokens: list[Tensor]
    classes: Tensor
    patches: Tensor | None


def is_readable(block: Any) -> bool:
    """Whether `run_block` does what the block does by itself."""
    plain = type(block) is Block and type(block.attn) is Attention
    gate = getattr(block.attn, "gate", None)  # which older ones of timm do not know
    return plain and gate is None and not block.attn.attn_drop.p


def read_blocks(
    blocks: Sequence[Block], tokens: Tensor, num_classes: int, last: int, affinity: bool, recompute: bool = False
) -> Reading:
    """Run all blocks, and sum up what they look at.

    Args:
        blocks: see `is_readable`.
        tokens: `[B, K + P, C]`.
        num_classes: K.
        last: of how many blocks, counted from the last, the class tokens are read.
        affinity: whether patches are read, too.
        recompute: keep no activations of a block for its gradient, but compute them again (gradient checkpointing).
    """
    count = tokens.shape[1] - num_classes
    classes = tokens.new_zeros(len(tokens), num_classes, count, dtype=WIDE)
    patches = tokens.new_zeros(len(tokens), count, count, dtype=WIDE) if affinity else None
    after = []
    for at, block in enumerate(blocks):
        with_classes = at >= len(blocks) - last
        rows = slice(0 if with_classes else num_classes, None if affinity else num_classes)
        if recompute:
            tokens, attention = checkpoint(run_block, block, tokens, rows, use_reentrant=False)
        else:
            tokens, attention = run_block(block, tokens, rows)
        after.append(tokens)
        if with_classes:
            classes = classes + attention[:, :num_classes, num_classes:]
        if patches is not None:
            patches = patches + attention[:, -count:, num_classes:]
    return Reading(after, classes, patches)


def run_block(block: Block, tokens: Tensor, rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """A block's tokens, and its attention.

    Args:
        block: see `is_readable`.
        tokens: `[B, N, C]`.
        rows: the queries whose attention is wanted.

    Returns:
        Tokens `[B, N, C]`; attention `[B, rows, N]`, the mean over heads, whose rows sum to 1.
    """
    attention = cast(Attention, block.attn)
    batch, count, _ = tokens.shape
    qkv = attention.qkv(block.norm1(tokens)).reshape(batch, count, 3, attention.num_heads, attention.head_dim)
    query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    query, key = attention.q_norm(query), attention.k_norm(key)
    if torch.is_grad_enabled():
        values, means = checkpoint(attend, query, key, value, rows, use_reentrant=False, preserve_rng_state=False)
    else:
        values, means = attend(query, key, value, rows)
    values = attention.norm(values.transpose(1, 2).flatten(2))
    tokens = tokens + block.drop_path1(block.ls1(attention.proj_drop(attention.proj(values))))
    return tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens)))), means


def attend(query: Tensor, key: Tensor, value: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """`softmax(Q Kᵀ / √d) V`, and some rows of the softmax, its mean over heads, in 32 bits.

    Args:
        query: `[B, heads, N, d]`.
        key: the same.
        value: the same.
        rows: that are wanted.

    Returns:
        `[B, heads, N, d]` and `[B, rows, N]`.
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    weights = scores.softmax(dim=-1, dtype=WIDE)
    return weights.to(value.dtype) @ value, weights[:, :, rows].mean(dim=1)
