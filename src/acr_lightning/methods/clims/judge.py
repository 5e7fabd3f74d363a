"""CLIP as a judge: unit vectors of photos and of the texts that they are compared with (Radford et al., ICML 2021)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.weights import file_state

PROMPT = "a photo of {}."


@dataclass(frozen=True)
class Clip:
    """Which CLIP judges, and by which words; the defaults are the release's for PASCAL VOC.

    Args:
        weights: a `.safetensors` file, or a state dict by torch, in open_clip's layout.
        architecture: open_clip's name of the network; OpenAI's weights want the one with `quickgelu`.
        called: classes whose name CLIP knows less well than another word.
        background: what stands beside the classes and is not to be shown with them.
    """

    weights: str
    architecture: str = "ViT-B-32-quickgelu"
    called: Mapping[str, str] = field(default_factory=lambda: {"person": "player"})
    background: Sequence[str] = (
        "tree", "river", "sea", "lake", "water", "railway", "railroad", "track", "stone", "rocks",
    )  # fmt: skip


class Judge:
    """CLIP's images, frozen, and the vectors of its texts. No module, so that no checkpoint carries it.

    Args:
        clip: which CLIP.
        class_names: of the data set, K of them.

    Attributes:
        size: height and width of the images it takes.
        classes: unit vectors, `[K, D]`.
        background: likewise, `[words, D]`.

    Raises:
        UserError: the package or the file is missing, or they do not fit each other.
    """

    def __init__(self, clip: Clip, class_names: Sequence[str]) -> None:
        try:
            import open_clip
        except ImportError:
            raise UserError("fit.model: CLIMS needs CLIP; pip install '.[clims]'") from None
        if clip.architecture not in (known := open_clip.list_models()):
            raise UserError(
                f"fit.model.clip.architecture: open_clip has no {clip.architecture!r}; it has {', '.join(known)}"
            )
        both = open_clip.create_model(clip.architecture, load_weights=False)
        _load(both, clip)
        words = [clip.called.get(name, name) for name in class_names]
        tokens = open_clip.get_tokenizer(clip.architecture)(
            [PROMPT.format(word) for word in (*words, *clip.background)]
        )
        with torch.no_grad():
            vectors = F.normalize(both.eval().encode_text(tokens), dim=1)
        self.classes, self.background = vectors.split([len(words), len(clip.background)])
        self.images: nn.Module = both.visual.requires_grad_(False)
        self.size = torch.Size(both.visual.image_size)

    def to(self, device: torch.device) -> "Judge":
        """Move it to a device; returns itself."""
        self.images.to(device)
        self.classes, self.background = self.classes.to(device), self.background.to(device)
        return self

    def __call__(self, image: Tensor) -> Tensor:
        """Unit vectors `[B, D]` of images `[B, 3, *size]`."""
        if not len(image):  # open_clip takes no empty batch
            return image.new_zeros(0, self.classes.shape[1])
        return F.normalize(self.images(image).float(), dim=1)


def _load(network: nn.Module, clip: Clip) -> None:
    if not Path(clip.weights).is_file():
        raise UserError(
            f"fit.model.clip.weights: no file {clip.weights}; CLIMS needs the weights of open_clip's "
            f"{clip.architecture}, which are yours to bring"
        )
    try:
        network.load_state_dict(file_state(clip.weights))
    except RuntimeError:
        raise UserError(f"fit.model.clip.weights: {clip.weights} is not open_clip's {clip.architecture}") from None
