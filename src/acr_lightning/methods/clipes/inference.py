"""Stage `cam` by CLIP alone: neither stage `fit` nor a checkpoint."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from torch import Tensor
from torch.nn import functional as F

from acr_lightning.classes.bounded import ClosedUnitInterval, PositiveFloat, PositiveInt
from acr_lightning.errors import UserError
from acr_lightning.methods.clipes.affinity import min_max, spread
from acr_lightning.methods.clipes.transformer import before_last, neighbours, through
from acr_lightning.nets.clip import Clip, load_clip, word_vectors


@dataclass(frozen=True)
class Words(Clip):
    """Which CLIP it is, and its words; the defaults are CLIP-ES's release's for PASCAL VOC.

    Args:
        weights: a `.safetensors` file, or a state dict by torch, in open_clip's layout.
        architecture: open_clip's name of the network; OpenAI's weights want the one with `quickgelu`.
        called: classes whose name CLIP knows less well than other words.
        background: what stands beside the classes and is none of them.
        prompt: what a word is put into; `imagenet` is the mean of 80.
    """

    weights: str
    architecture: str = "ViT-B-16-quickgelu"
    called: Mapping[str, str] = field(
        default_factory=lambda: {
            "bird": "bird avian", "chair": "chair seat", "person": "person with clothes,people,human",
            "tvmonitor": "tvmonitor screen",
        }
    )  # fmt: skip
    background: Sequence[str] = (
        "ground", "land", "grass", "tree", "building", "wall", "sky", "lake", "water", "river", "sea", "railway",
        "railroad", "keyboard", "helmet", "cloud", "house", "mountain", "ocean", "road", "rock", "street", "valley",
        "bridge", "sign",
    )  # fmt: skip
    prompt: str = "a clean origami {}."


class ClipInference(LightningModule, ABC):
    """CLIP's scores of each photo's tags; a subclass says how they are read.

    Args:
        clip: its weights are your own.
        long_side: resize photos to this long side first; null keeps their size. Either way both sides are then brought
            up to whole patches.

    Raises:
        UserError: the weights are missing, damaged or of another network, or that is no ViT of open_clip's own.
    """

    positions: Literal["bilinear", "bicubic"] = "bilinear"
    mean: Tensor
    std: Tensor
    texts: Tensor

    def __init__(self, clip: Words, long_side: PositiveInt | None = None) -> None:
        super().__init__()
        self.clip, self.long_side = clip, long_side
        self.network = load_clip(clip, "cam.model.clip")
        if not hasattr(getattr(self.network.visual, "transformer", None), "resblocks"):
            raise UserError(f"cam.model.clip.architecture: {clip.architecture} is no ViT whose attention can be read")
        config = self.network.visual.preprocess_cfg
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)

    def setup(self, stage: str) -> None:
        """Let CLIP read the names of the data set's classes, once for several calls of one Trainer."""
        if not hasattr(self, "texts"):
            self.read_words(self.trainer.datamodule.dataset.class_names)  # type: ignore[attr-defined]

    def read_words(self, class_names: Sequence[str]) -> None:
        """Keep the vectors of the classes and of the background's words."""
        self.num_classes = len(class_names)
        self.register_buffer("texts", word_vectors(self.network, self.clip, class_names), persistent=False)

    def predict_step(self, samples: list[dict[str, Any]], batch_index: int) -> list[tuple[str, Tensor, Tensor]]:
        """Of each photo its id, the tagged classes `[P]` and their scores `[P, H, W]` in `[0, 1]`."""
        results = []
        for sample in samples:
            # A gradient is asked for, of shares that half precision rounds to 0.
            with torch.inference_mode(False), torch.autocast(self.device.type, enabled=False):
                image, classes = sample["image"].clone(), sample["tags"].clone().nonzero().flatten()
                scores = self._scores(image, classes) if len(classes) else image[:0]
            results.append((sample["id"], classes, scores))
        return results

    def _scores(self, image: Tensor, classes: Tensor) -> Tensor:
        """`[P, H, W]` of a photo `[3, H, W]` in `[0, 1]`."""
        texts = torch.cat([self.texts[classes], self.texts[self.num_classes :]])
        seen, size = ((self._resized(image) - self.mean) / self.std)[None], (image.shape[-2], image.shape[-1])
        return self.read(seen, texts, len(classes), size)

    @abstractmethod
    def read(self, image: Tensor, texts: Tensor, tags: int, size: tuple[int, int]) -> Tensor:
        """Scores of a photo's P tags, `[P, H, W]` in `[0, 1]`.

        Args:
            image: normalised, `[1, 3, h, w]`, of whole patches.
            texts: unit vectors of the tags and, after them, of the background's words, `[words, D]`.
            tags: P.
            size: H and W of the photo.
        """

    def _resized(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        scale = 1.0 if self.long_side is None else self.long_side / max(height, width)
        patches = zip((height, width), self.network.visual.patch_size, strict=True)
        size = [max(1, -(-round(side * scale) // patch)) * patch for side, patch in patches]
        return F.interpolate(image[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)


class CLIPES(ClipInference):
    """Grad-CAM of CLIP's softmax between a photo's tags and the background's words, spread by attention (CVPR 2023).

    Args:
        clip: its weights are your own.
        layers: of how many blocks, counted from the last, attention spreads the maps.
        box: a map is spread out of boxes around what has more than this share of its largest value (COCO: 0.7).
    """

    def __init__(self, clip: Words, layers: PositiveInt = 8, box: ClosedUnitInterval = 0.4, **reading: Any) -> None:
        super().__init__(clip, **reading)
        self.layers, self.box = layers, box

    def read(self, image: Tensor, texts: Tensor, tags: int, size: tuple[int, int]) -> Tensor:
        """See `ClipInference.read`."""
        visual = self.network.visual
        tokens, attentions = before_last(visual, image, self.layers - 1, self.positions)
        block = visual.transformer.resblocks[-1]
        with torch.enable_grad():
            seen = block.ln_1(tokens).detach().requires_grad_()
            last, attention = through(block, tokens, seen)
            vector = F.normalize(visual.ln_post(last)[0, 1:].mean(dim=0) @ visual.proj, dim=0)
            shares = (self.network.logit_scale.exp() * texts @ vector).softmax(dim=0)
            gradients = [torch.autograd.grad(one, seen, retain_graph=True)[0][0, 1:] for one in shares[:tags]]
        cells = seen.detach()[0, 1:]
        maps = torch.stack([F.relu(cells @ one.mean(dim=0)) for one in gradients])
        grid = [side // patch for side, patch in zip(image.shape[-2:], visual.patch_size, strict=True)]
        maps = min_max(maps.unflatten(1, grid))
        mean = torch.stack([*attentions, attention.detach()[0, 1:, 1:]]).mean(dim=0)
        maps = min_max(spread(maps, mean, self.box))
        return F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]


class NACLIP(ClipInference):
    """CLIP's softmax at every patch, which looks at its neighbours and at what is like it (WACV 2025).

    Args:
        clip: its weights are your own.
        deviation: of the Gaussian around a patch, in patches.
        logit_scale: of the cosines before the softmax.
        long_side: resize photos to this long side first; the release has a short side of 336.
    """

    positions = "bicubic"

    def __init__(
        self, clip: Words, deviation: PositiveFloat = 5.0, logit_scale: PositiveFloat = 40.0,
        long_side: PositiveInt | None = 448,
    ) -> None:  # fmt: skip
        super().__init__(clip, long_side)
        self.deviation, self.logit_scale = deviation, logit_scale

    @torch.no_grad()
    def read(self, image: Tensor, texts: Tensor, tags: int, size: tuple[int, int]) -> Tensor:
        """See `ClipInference.read`."""
        visual = self.network.visual
        tokens, _ = before_last(visual, image, 0, self.positions)
        block, (rows, columns) = visual.transformer.resblocks[-1], visual.patch_size
        grid = (image.shape[-2] // rows, image.shape[-1] // columns)
        last = neighbours(block, block.ln_1(tokens), grid, self.deviation)
        vectors = F.normalize(visual.ln_post(last)[0, 1:] @ visual.proj, dim=-1)
        cosines = (texts @ vectors.T).unflatten(1, grid)[None]
        cosines = F.interpolate(cosines, size, mode="bilinear", align_corners=False)[0]
        return (self.logit_scale * cosines).softmax(dim=0)[:tags]
