"""CLIP with the user's own file of weights, and the vectors of the words that it compares photos with.

Radford et al., ICML 2021. It learned from texts of the web, which are more than tags.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from acr_lightning.errors import UserError
from acr_lightning.nets.weights import file_state

# In place of a prompt: the 80 that CLIP was published with.
IMAGENET = "imagenet"


@dataclass(frozen=True)
class Clip:
    """Which CLIP it is, and by which words; the defaults are CLIMS's for PASCAL VOC.

    Args:
        weights: a `.safetensors` file, or a state dict by torch, in open_clip's layout.
        architecture: open_clip's name of the network; OpenAI's weights want the one with `quickgelu`.
        called: classes whose name CLIP knows less well than another word.
        background: what stands beside the classes and is none of them.
        prompt: what a word is put into; `imagenet` is the mean of 80.
    """

    weights: str
    architecture: str = "ViT-B-32-quickgelu"
    called: Mapping[str, str] = field(default_factory=lambda: {"person": "player"})
    background: Sequence[str] = (
        "tree", "river", "sea", "lake", "water", "railway", "railroad", "track", "stone", "rocks",
    )  # fmt: skip
    prompt: str = "a photo of {}."


def load_clip(clip: Clip, where: str) -> Any:
    """The network, in eval mode; `where` is the key that names it, for the message.

    Raises:
        UserError: the package or the file is missing, or they do not fit each other.
    """
    try:
        import open_clip
    except ImportError:
        raise UserError(f"{where}: CLIP needs open_clip; pip install '.[clims]'") from None
    if clip.architecture not in (known := open_clip.list_models()):
        raise UserError(f"{where}.architecture: open_clip has no {clip.architecture!r}; it has {', '.join(known)}")
    if not Path(clip.weights).is_file():
        raise UserError(
            f"{where}.weights: no file {clip.weights}; the weights of open_clip's {clip.architecture} are yours to "
            "bring (docs/nodes.md)"
        )
    try:
        logging.disable(logging.WARNING)  # open_clip would warn that its network is random
        network = open_clip.create_model(clip.architecture, load_weights=False)
    finally:
        logging.disable(logging.NOTSET)
    try:
        network.load_state_dict(file_state(clip.weights))
    except RuntimeError:
        raise UserError(f"{where}.weights: {clip.weights} is not open_clip's {clip.architecture}") from None
    return network.eval().requires_grad_(False)


def word_vectors(network: Any, clip: Clip, class_names: Sequence[str]) -> Tensor:
    """Unit vectors of the classes and, after them, of the background's words, `[K + words, D]`."""
    import open_clip

    words = [*(clip.called.get(name, name) for name in class_names), *clip.background]
    prompts = open_clip.OPENAI_IMAGENET_TEMPLATES if clip.prompt == IMAGENET else [clip.prompt]
    vectors: Tensor = open_clip.build_zero_shot_classifier(
        network, open_clip.get_tokenizer(clip.architecture), words, prompts
    )
    return vectors.T
