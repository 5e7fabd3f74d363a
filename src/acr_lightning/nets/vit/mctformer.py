"""A ViT with a class token for every class, whose attention is its CAM (MCTformer-V2, Xu et al., CVPR 2022)."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, cast

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from timm.layers.pos_embed import resample_abs_pos_embed
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.classifier import Classifier, ClassifierOutput
from acr_lightning.nets.vit.attention import Reading, is_readable, read_blocks
from acr_lightning.nets.vit.cam_maps import Fusion, fused
from acr_lightning.nets.vit.padding import cropped, padded
from acr_lightning.nets.vit.patch_tokens import chosen_blocks
from acr_lightning.nets.vit.tag_losses import class_contrast, rank_pooled, token_similarities
from acr_lightning.nets.weights import pretrained_overlay


class TwoAnswers(NamedTuple):
    """What the loss of tags is made of.

    Attributes:
        tokens: logits of the class tokens, `[B, K]`.
        patches: logits of the patches, `[B, K]`.
        similarities: of class tokens, `[B, blocks, K, K]`; None where they do not count.
    """

    tokens: Tensor
    patches: Tensor
    similarities: Tensor | None


class MCTFormer(Classifier):
    """Class tokens look at patches, patches classify: the CAM is the product of both, spread along patch attention.

    The defaults are MCTformer-V2's; MCTformer+ is `layers: null`, `fusion: root`, `pooling: rank`, `contrast: 1`. The
    CAM has its gradient, through the attention of all blocks, too: that is what a game with a reconstructor needs, and
    not part of MCTformer. Images of any size are padded to whole patches.

    Args:
        num_classes: K, without background (taken from the data set).
        backbone: a timm ViT with one class token.
        weights: its weights: `timm` (timm's hub), a file, or null.
        layers: of how many blocks, counted from the last, the class tokens' attention is taken; null takes all.
        refine: spread the CAM along the patches' attention, summed over all blocks.
        fusion: of attention and patch maps: `product`, or `root` of it; `patches` leaves the attention out.
        pooling: of the patch maps to logits: `mean`, or `rank` (weights that fall with the rank).
        contrast: weight of the loss that keeps class tokens apart.
        drop_path: share of residual branches left out in training at the last block, less at those before.
        blocks: whose patch tokens are the features for a reconstructor, counted from 1; null is the last of each third.
        recompute: keep no activations of a block for the gradient, but compute them again: less memory, slower.
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = "deit_small_patch16_224",
        weights: str | None = None,
        layers: int | None = 3,
        refine: bool = True,
        fusion: Fusion = "product",
        pooling: Literal["mean", "rank"] = "mean",
        contrast: float = 0.0,
        drop_path: float = 0.1,
        blocks: Sequence[int] | None = None,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.refine, self.pooling, self.contrast, self.recompute = refine, pooling, contrast, recompute
        self.fusion: Fusion = fusion
        self.vit = _class_token_vit(backbone, weights, drop_path)
        depth, width = len(self.vit.blocks), self.vit.embed_dim
        self.layers = depth if layers is None else layers
        if not 1 <= self.layers <= depth:
            raise UserError(f"layers: {layers}: {backbone} has 1 to {depth}")
        self.blocks = chosen_blocks(backbone, blocks, depth)
        self.channels = (width,) * len(self.blocks)
        self.patch: int = self.vit.patch_embed.patch_size[0]
        self._take_tokens()
        self.classify = nn.Conv2d(width, num_classes, 3, padding=1)
        config = timm.get_pretrained_cfg(backbone)
        assert config is not None
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1), persistent=False)

    def normalise(self, image: Tensor) -> Tensor:  # noqa: D102
        return (image - cast(Tensor, self.mean)) / cast(Tensor, self.std)

    def pretrained_parameters(self) -> Iterable[nn.Parameter]:
        """All but the patch classifier: the class tokens start from the pretrained one."""
        new = {id(parameter) for parameter in self.classify.parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in new]

    def classification_loss(self, output: ClassifierOutput, tags: Tensor) -> Tensor:
        """Binary cross entropy of the class tokens and of the patches, both in full; the contrast if it has a weight.

        Args:
            output: of `forward`.
            tags: `[B, K]` of 0 and 1.
        """
        answers: TwoAnswers = output.own
        loss = sum(F.binary_cross_entropy_with_logits(logits, tags) for logits in (answers.tokens, answers.patches))
        if answers.similarities is not None:
            loss = loss + self.contrast * class_contrast(answers.similarities, tags)
        return cast(Tensor, loss)

    def forward(self, image: Tensor) -> ClassifierOutput:
        """Normalised images `[B, 3, H, W]` to the CAM, the mean of both answers' logits, and patch tokens.

        The CAM has no negative values; it and the features have a cell a patch, or a pixel where images are padded.
        """
        K, size = self.num_classes, (image.shape[-2], image.shape[-1])
        reading, maps = self._run(image)
        grid = (maps.shape[-2], maps.shape[-1])
        answers = TwoAnswers(
            tokens=reading.tokens[-1][:, :K].mean(dim=-1),
            patches=rank_pooled(maps) if self.pooling == "rank" else maps.mean(dim=(2, 3)),
            similarities=token_similarities([one[:, :K] for one in reading.tokens]) if self.contrast else None,
        )
        cam = cropped(self._cam(reading, maps), size, self.patch)
        tokens = [self.vit.norm(reading.tokens[block - 1][:, K:]) for block in self.blocks]
        features = [cropped(_as_maps(one, grid), size, self.patch) for one in tokens]
        return ClassifierOutput(cam, (answers.tokens + answers.patches) / 2, features, answers)

    def cam(self, image: Tensor) -> Tensor:
        """As `forward` has it, without the features, which are large where images are padded."""
        return cropped(self._cam(*self._run(image)), (image.shape[-2], image.shape[-1]), self.patch)

    def _run(self, image: Tensor) -> tuple[Reading, Tensor]:
        """What the blocks tell of padded images, and the patch classifier's maps `[B, K, h, w]`."""
        vit, first = self.vit, self.vit.patch_embed.grid_size
        patches = vit.patch_embed(padded(image, self.patch))
        grid = (patches.shape[1], patches.shape[2])
        positions = resample_abs_pos_embed(self.patch_positions, list(grid), list(first), num_prefix_tokens=0)
        classes = (self.class_tokens + self.class_positions).expand(len(patches), -1, -1)
        tokens = vit.norm_pre(vit.pos_drop(torch.cat([classes, patches.flatten(1, 2) + positions], dim=1)))
        blocks = cast(list[Block], list(vit.blocks))
        reading = read_blocks(blocks, tokens, self.num_classes, self.layers, self.refine, self.recompute)
        return reading, self.classify(_as_maps(reading.tokens[-1][:, self.num_classes :], grid))

    def _cam(self, reading: Reading, maps: Tensor) -> Tensor:
        """`[B, K, h, w]`; sums become means, even attention 1, so that values do not depend on the image's size."""
        with torch.autocast(maps.device.type, enabled=False):
            attention = reading.classes * (reading.classes.shape[-1] / self.layers)
            cam = fused(attention, F.relu(maps.float()).flatten(2), self.fusion)
            if reading.patches is not None:
                # A patch gets what the patches that it looks at have.
                cam = torch.einsum("bij,bkj->bki", reading.patches / len(reading.tokens), cam)
            return cam.view_as(maps)

    def _take_tokens(self) -> None:
        """Class tokens and positions of their own: K copies of the pretrained ones."""
        vit = self.vit
        assert vit.cls_token is not None
        assert vit.pos_embed is not None
        token, positions = vit.cls_token.data, vit.pos_embed.data
        class_position = torch.zeros_like(token) if vit.no_embed_class else positions[:, :1]
        self.class_tokens = nn.Parameter(token.repeat(1, self.num_classes, 1))
        self.class_positions = nn.Parameter(class_position.repeat(1, self.num_classes, 1))
        self.patch_positions = nn.Parameter(positions[:, 0 if vit.no_embed_class else 1 :].clone())
        vit.cls_token = vit.pos_embed = None


def _class_token_vit(name: str, weights: str | None, drop_path: float) -> VisionTransformer:
    """A timm ViT whose attention can be read.

    Raises:
        UserError: there is none of this name, or it is another kind of network.
    """
    if not timm.is_model(name):
        raise UserError(f"backbone: timm knows no model '{name}'; see timm.list_models('*{name[:6]}*')")
    overlay = pretrained_overlay(name, weights)
    options: dict[str, Any] = {"pretrained": overlay is not None, "pretrained_cfg_overlay": overlay}
    try:
        vit = timm.create_model(name, num_classes=0, dynamic_img_size=True, drop_path_rate=drop_path, **options)
    except (RuntimeError, ValueError, TypeError):  # what a CNN says to these options
        vit = None
    if (
        not isinstance(vit, VisionTransformer)
        or type(vit.patch_embed) is not PatchEmbed
        or not vit.has_class_token
        or vit.num_prefix_tokens != 1
        or vit.pos_embed is None
        or not all(is_readable(block) for block in vit.blocks)
    ):
        raise UserError(f"backbone: MCTFormer needs a plain timm ViT with one class token, not {name}")
    return vit


def _as_maps(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens `[B, P, C]` to maps `[B, C, h, w]`."""
    return tokens.transpose(1, 2).unflatten(2, grid)
