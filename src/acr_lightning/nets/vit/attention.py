"""Blocks of timm's ViT that tell their attention: only its mean over the heads is made, and it is not kept.

A block computes with fused attention, as always. What is read of it is computed once more from its queries and keys,
and again when the gradient comes back: a softmax of all heads of all blocks, `[L, B, heads, N, N]`, never exists.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


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


def is_readable(block: object) -> bool:
    """Whether `run_block` does what the block does by itself."""
    return type(block) is Block and type(block.attn) is Attention and block.attn.gate is None


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
    classes = tokens.new_zeros(len(tokens), num_classes, count, dtype=torch.float32)
    patches = tokens.new_zeros(len(tokens), count, count, dtype=torch.float32) if affinity else None
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
    dropout = attention.attn_drop.p if block.training else 0.0
    mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
    mixed = attention.norm(mixed.transpose(1, 2).reshape(batch, count, attention.attn_dim))
    tokens = tokens + block.drop_path1(block.ls1(attention.proj_drop(attention.proj(mixed))))
    tokens = tokens + block.drop_path2(block.ls2(block.mlp(block.norm2(tokens))))
    return tokens, head_mean(query[:, :, rows], key)


def head_mean(query: Tensor, key: Tensor) -> Tensor:
    """`mean_heads softmax(Q Kᵀ / √d)`, in 32 bits; no head's softmax is kept for the gradient.

    Args:
        query: `[B, heads, rows, d]`.
        key: `[B, heads, N, d]`.

    Returns:
        `[B, rows, N]`.
    """
    if torch.is_grad_enabled() and (query.requires_grad or key.requires_grad):
        return checkpoint(_head_mean, query, key, use_reentrant=False, preserve_rng_state=False)
    return _head_mean(query, key)


def _head_mean(query: Tensor, key: Tensor) -> Tensor:
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    return scores.softmax(dim=-1, dtype=torch.float32).mean(dim=1)
