"""A timm ViT as a feature extractor: the patch tokens of some of its blocks, as maps."""

from collections.abc import Sequence
from typing import Any

import timm
from timm.models import is_model_in_modules
from timm.models._features import FeatureGetterNet

from acr_lightning.errors import UserError

# timm's modules of networks that keep one grid of patch tokens from the first block to the last.
MODULES = ("vision_transformer", "deit", "eva")


def is_vit(name: str) -> bool:
    """Whether a timm model is a ViT of images of any size."""
    return bool(is_model_in_modules(name, MODULES))


def chosen_blocks(name: str, blocks: Sequence[int] | None, depth: int) -> list[int]:
    """The blocks that are named, or the last of each third of a ViT: 4, 8 and 12 of 12.

    Args:
        name: of the ViT, for the message.
        blocks: counted from 1; None takes the default.
        depth: how many the ViT has.

    Raises:
        UserError: there are no such blocks, or fewer than three are named.
    """
    if blocks is None:
        return [max(1, round(depth * part / 3)) for part in (1, 2, 3)]
    if len(blocks) < 3 or not set(blocks) <= set(range(1, depth + 1)) or [*blocks] != sorted(set(blocks)):
        raise UserError(f"blocks: {list(blocks)}: name three or more, in order; {name} has the blocks 1 to {depth}")
    return list(blocks)


def patch_tokens(name: str, source: dict[str, Any], blocks: Sequence[int] | None) -> FeatureGetterNet:
    """The feature extractor; its maps go through the ViT's last LayerNorm, so that those of all blocks are alike.

    Args:
        name: of the timm model.
        source: of its weights, for `timm.create_model`.
        blocks: whose patch tokens are taken, counted from 1; None is the last of each third.

    Raises:
        UserError: there are no such blocks.
    """
    model: Any = timm.create_model(name, num_classes=0, dynamic_img_size=True, **source)
    numbers = chosen_blocks(name, blocks, len(model.blocks))
    return FeatureGetterNet(model, tuple(block - 1 for block in numbers), norm=True)
