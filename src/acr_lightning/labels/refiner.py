"""What sharpens a photo's label probabilities by what the photo looks like: a dense CRF, or any class with its call."""

import inspect
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from acr_lightning.classes.class_names import SHORT, class_and_arguments, full_path
from acr_lightning.errors import UserError, nearest
from acr_lightning.labels.crf import PRESETS, dense_crf, require_library

# As an experiment writes it: a name, or a mapping with `class_path` and `init_args`.
RefinerNode = str | dict[str, Any]
NONE = "none"
NAMES = (*PRESETS, NONE)


@runtime_checkable
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
        preset: `soft_cam`, `hard_label`, `one_class`, `test_deeplabv2` or `test_deeplabv1`; see docs/method.md.
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
    if node == NONE:
        return None
    if isinstance(node, str):
        if node in PRESETS:
            return DenseCrf(node)
        if "." not in full_path(node):
            raise UserError(
                f"{where}: no refiner '{node}'.{nearest(node, NAMES)} Known: {', '.join(NAMES)}; a class of your own "
                "is given by its import path"
            )
        node = {"class_path": node}
    if not node or "class_path" not in node or node.keys() - {"class_path", "init_args"}:
        raise UserError(
            f"{where}: write one of {', '.join(NAMES)}, or class_path and init_args (DenseCrf, or a class of your own)"
        )
    refiner_class, arguments = class_and_arguments(node, where, object)
    try:
        if not issubclass(refiner_class, Refiner):
            raise TypeError
        inspect.signature(refiner_class.__call__).bind("refiner", "image", "probabilities")
    except (TypeError, ValueError):  # ValueError of a class that tells no signature
        raise UserError(
            f"{where}: {node['class_path']} is no refiner: its objects must be called as refiner(image, "
            "probabilities); see docs/extend.md"
        ) from None
    refiner: Refiner = refiner_class(**arguments)
    return refiner


def is_own(node: RefinerNode) -> bool:
    """Whether a value names nothing but what this package has, so that building it runs no other code."""
    return node in NAMES if isinstance(node, str) else full_path(str(node.get("class_path"))) == SHORT["DenseCrf"]


def refine(refiner: Refiner, image: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Call a refiner, and check what it gives back.

    Raises:
        UserError: the result is not of the shape of the probabilities.
    """
    result = refiner(image, probabilities)
    if np.shape(result) != probabilities.shape:
        raise UserError(
            f"refiner {type(refiner).__name__}: gave {list(np.shape(result))} for probabilities "
            f"{list(probabilities.shape)}; it must keep their shape"
        )
    return result


def refined_labels(
    refiner: Refiner, image: NDArray[np.uint8], probabilities: NDArray[np.float32], labels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The label map `[H, W]` by what a refiner makes of the probabilities `[L, H, W]` of `labels`, `[L]`."""
    return labels[refine(refiner, image, probabilities).argmax(axis=0)]


def describe(node: RefinerNode) -> str:
    """One word or one call for the record of a score: `hard_label`, `DenseCrf(preset=hard_label, scale=0.5)`.

    What a run says of itself may be anything; what is no refiner is given as it is.
    """
    init_args = (node.get("init_args") or {}) if isinstance(node, dict) and "class_path" in node else None
    if not isinstance(node, dict) or not isinstance(init_args, dict):
        return str(node)
    arguments = ", ".join(f"{key}={value}" for key, value in init_args.items())
    name = str(node["class_path"]).rpartition(".")[2]
    return f"{name}({arguments})" if arguments else name
