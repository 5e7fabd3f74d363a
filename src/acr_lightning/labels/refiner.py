"""What sharpens a photo's label probabilities by what the photo looks like: a dense CRF, or any class with its call."""

import inspect
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from acr_lightning.class_names import SHORT, build
from acr_lightning.errors import UserError, nearest
from acr_lightning.labels.crf import PRESETS, dense_crf, require_library

# As an experiment writes it: a name, or a mapping with `class_path` and `init_args`.
RefinerNode = str | dict[str, Any]
NONE = "none"
NAMES = (*PRESETS, NONE)


class Refiner(Protocol):
    """Anything with this call; it travels to other processes, so it must be possible to pickle it."""

    def __call__(self, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sharpen the probabilities of the labels that are in question for a photo.

        Args:
            image: RGB, `[H, W, 3]`.
            probabilities: `[C, H, W]`, not negative, of sum 1 in each pixel. The background is the first in a stage
                that makes labels; at a network's test any labels that it finds likely may be left.

        Returns:
            `[C, H, W]`; the largest wins.
        """
        ...


class DenseCrf:
    """The dense CRF (Krähenbühl and Koltun, NIPS 2011).

    Args:
        preset: `soft_cam`, `hard_label`, `test_deeplabv2` or `test_deeplabv1`; see docs/method.md.
        scale: work at this share of the photo's size; 0.5 is four times faster.

    Raises:
        UserError: there is no such preset, the scale is not in 0..1, or pydensecrf is not installed.
    """

    def __init__(self, preset: str, scale: float = 1.0) -> None:
        if preset not in PRESETS:
            raise UserError(f"DenseCrf: no preset '{preset}'.{nearest(preset, PRESETS)} Known: {', '.join(PRESETS)}")
        if not 0 < scale <= 1:
            raise UserError(f"DenseCrf: scale is {scale}; give a share of the photo's size, above 0 and at most 1")
        require_library()
        self.settings, self.scale = PRESETS[preset], scale

    def __call__(self, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Refiner`."""
        return dense_crf(image, probabilities, self.settings, self.scale)


def build_refiner(node: RefinerNode, where: str) -> Refiner | None:
    """The refiner that an experiment names; None for `none`.

    Args:
        node: a preset of the dense CRF, `none`, or a class by `class_path` and `init_args`.
        where: the key that names it, for the message.

    Raises:
        UserError: there is no such name or class, an argument is wrong, or the class has not the call of `Refiner`.
    """
    name, arguments = _name_and_arguments(node, where)
    if name == NONE:
        return None
    if name in PRESETS:
        name, arguments = "DenseCrf", {"preset": name, **arguments}
    elif "." not in name and name not in SHORT:
        raise UserError(
            f"{where}: no refiner '{name}'.{nearest(name, NAMES)} Known: {', '.join(NAMES)}; a class of your own is "
            "given by its import path"
        )
    made: Refiner = build({"class_path": name, "init_args": arguments}, where)
    try:
        inspect.signature(made).bind("image", "probabilities")
    except TypeError:
        raise UserError(
            f"{where}: {name} is no refiner: its objects must be called as refiner(image, probabilities); "
            "see docs/extend.md"
        ) from None
    return made


def refine(refiner: Refiner, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Call a refiner, and check what it gives back.

    Raises:
        UserError: the result is not of the shape of the probabilities.
    """
    refined = refiner(image, probabilities)
    if np.shape(refined) != probabilities.shape:
        raise UserError(
            f"refiner {type(refiner).__name__}: gave {list(np.shape(refined))} for probabilities "
            f"{list(probabilities.shape)}; it must keep their shape"
        )
    return refined


def describe(node: RefinerNode) -> str:
    """One word or one call for the record of a score: `hard_label`, `DenseCrf(preset=hard_label, scale=0.5)`."""
    if isinstance(node, str):
        return node
    arguments = ", ".join(f"{key}={value}" for key, value in (node.get("init_args") or {}).items())
    name = str(node["class_path"]).rpartition(".")[2]
    return f"{name}({arguments})" if arguments else name


def _name_and_arguments(node: RefinerNode, where: str) -> tuple[str, dict[str, Any]]:
    if isinstance(node, str):
        return node, {}
    if set(node) - {"init_args"} != {"class_path"}:
        raise UserError(
            f"{where}: write one of {', '.join(NAMES)}, or class_path and init_args (DenseCrf, or a class of your own)"
        )
    return str(node["class_path"]), node.get("init_args") or {}
