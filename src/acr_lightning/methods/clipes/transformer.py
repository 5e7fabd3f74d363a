"""open_clip's ViT, block by block, on images of any size."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def through(block: Any, tokens: Tensor, normed: Tensor) -> tuple[Tensor, Tensor]:
    """A block's tokens and its heads' mean attention, `[1, 1 + N, 1 + N]`; `normed` are tokens after its first norm."""
    attended, attention = block.attn(normed, normed, normed, need_weights=True)
    tokens = tokens + block.ls_1(attended)
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens))), attention


@torch.no_grad()
def before_last(
    visual: Any, image: Tensor, kept: int, positions: Literal["bilinear", "bicubic"]
) -> tuple[Tensor, list[Tensor]]:
    """The tokens that the last block takes, `[1, 1 + N, D]`, and attentions of patches in blocks before it, `[N, N]`.

    Args:
        visual: open_clip's tower of images.
        image: normalised, `[1, 3, H, W]`; both sides are multiples of the patch.
        kept: of how many blocks attentions are returned, the last ones.
        positions: how their vectors are enlarged to another grid.
    """
    patches = visual.conv1(image)
    first, rest = visual.positional_embedding.split([1, visual.grid_size[0] * visual.grid_size[1]])
    rest = rest.T.reshape(1, -1, *visual.grid_size)
    rest = F.interpolate(rest, patches.shape[-2:], mode=positions, align_corners=False)
    tokens = torch.cat([(visual.class_embedding + first)[None], (patches + rest).flatten(2).mT], dim=1)
    tokens, attentions = visual.ln_pre(tokens), list[Tensor]()
    for block in visual.transformer.resblocks[:-1]:
        tokens, attention = through(block, tokens, block.ln_1(tokens))
        attentions = [*attentions, attention[0, 1:, 1:]][-kept:] if kept else []
    return tokens, attentions


def neighbours(block: Any, normed: Tensor, grid: tuple[int, int], deviation: float) -> Tensor:
    """What NACLIP's last block gives `[1, 1 + N, D]`: likeness of keys and nearness say who looks at whom.

    Neither the tokens that came in are added nor is there an MLP after it. `grid` is the rows and columns of the N
    patches, and `deviation` that of the Gaussian of their distance.
    """
    projected = F.linear(normed, block.attn.in_proj_weight, block.attn.in_proj_bias)
    _, key, value = (
        one.unflatten(-1, (block.attn.num_heads, -1)).transpose(1, 2) for one in projected.chunk(3, dim=-1)
    )
    cells = torch.cartesian_prod(*(torch.arange(side, device=normed.device, dtype=normed.dtype) for side in grid))
    distance = (cells[:, None] - cells).square().sum(dim=-1)
    near = F.pad(torch.exp(-distance / (2 * deviation**2)), (1, 0, 1, 0))
    attended = F.scaled_dot_product_attention(key, key, value, attn_mask=near)
    return block.attn.out_proj(attended.transpose(1, 2).flatten(2))
