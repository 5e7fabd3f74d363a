"""The dense CRF, with the field's presets by name."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from acr_lightning.errors import UserError
from acr_lightning.nets.sizes import scaled_size


class CrfSettings(NamedTuple):
    """What a dense CRF needs beside image and probabilities.

    Attributes:
        gaussian_sxy: width of the kernel of nearness, pixels.
        gaussian_compat: its weight.
        bilateral_sxy: width of the kernel of likeness in space, pixels.
        bilateral_srgb: its width in colour, grey levels.
        bilateral_compat: its weight.
        certainty: start from hard labels: the likeliest label has this probability, the others share the rest. None
            starts from the probabilities.
        iterations: of the mean field.
    """

    gaussian_sxy: float
    gaussian_compat: float
    bilateral_sxy: float
    bilateral_srgb: float
    bilateral_compat: float
    certainty: float | None = None
    iterations: int = 10


# As the releases of this field have them (docs/method.md): labels from soft CAMs (PSA, SEAM, ACR), from hard labels of
# certainty 0.7 (IRN and its kin), of one class against the background (PMM), and two test-time settings.
PRESETS: dict[str, CrfSettings] = {
    "soft_cam": CrfSettings(3, 3, 80, 13, 10),
    "hard_label": CrfSettings(3, 3, 50, 5, 10, certainty=0.7),
    "one_class": CrfSettings(3, 10, 80, 13, 10),
    "test_deeplabv2": CrfSettings(1, 3, 67, 3, 4),
    "test_deeplabv1": CrfSettings(3, 3, 32, 13, 10),
}


def dense_crf(
    image: NDArray[np.uint8], probabilities: NDArray[np.float32], settings: CrfSettings, scale: float = 1.0
) -> NDArray[np.float32]:
    """Mean-field inference of a dense CRF (Krähenbühl and Koltun, 2011).

    Args:
        image: RGB, `[H, W, 3]`.
        probabilities: of each label, `[L, H, W]`, positive.
        settings: of the kernels, for the photo's full size.
        scale: work at this share of the photo's size (the spatial kernels shrink with it): 0.5 is four times faster.

    Returns:
        Probabilities after inference, `[L, H, W]`.

    Raises:
        UserError: pydensecrf is not installed.
    """
    new_crf, unary_from_softmax = require_library()
    height, width = image.shape[:2]
    if scale != 1.0:
        small = scaled_size((width, height), scale)
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        probabilities = _resize_maps(probabilities, small, cv2.INTER_AREA)
    if settings.certainty is not None:
        probabilities = _hard(probabilities, settings.certainty)
    labels = len(probabilities)
    crf = new_crf(image.shape[1], image.shape[0], labels)
    crf.setUnaryEnergy(np.ascontiguousarray(unary_from_softmax(probabilities)))
    crf.addPairwiseGaussian(sxy=settings.gaussian_sxy * scale, compat=settings.gaussian_compat)
    crf.addPairwiseBilateral(
        sxy=settings.bilateral_sxy * scale,
        srgb=settings.bilateral_srgb,
        rgbim=np.ascontiguousarray(image),
        compat=settings.bilateral_compat,
    )
    result = np.array(crf.inference(settings.iterations), dtype=np.float32).reshape(labels, *image.shape[:2])
    return result if scale == 1.0 else _resize_maps(result, (width, height), cv2.INTER_LINEAR)


def require_library() -> tuple[Any, Any]:
    """What pydensecrf offers: the CRF, and a function that makes energies of probabilities.

    Raises:
        UserError: it is not installed.
    """
    try:
        from pydensecrf.densecrf import DenseCRF2D
        from pydensecrf.utils import unary_from_softmax
    except ImportError:
        raise UserError("the dense CRF needs pydensecrf (pip install '.[crf]'), or set refiner: none") from None
    return DenseCRF2D, unary_from_softmax


def _hard(probabilities: NDArray[np.float32], certainty: float) -> NDArray[np.float32]:
    """The likeliest label has the probability `certainty`, the others have equal parts of the rest."""
    likeliest = np.arange(len(probabilities))[:, None, None] == probabilities.argmax(axis=0)
    return np.where(likeliest, certainty, (1 - certainty) / max(1, len(probabilities) - 1)).astype(np.float32)


def _resize_maps(maps: NDArray[np.float32], size: tuple[int, int], interpolation: int) -> NDArray[np.float32]:
    """`[L, H, W]` to `[L, size[1], size[0]]`."""
    return np.stack([cv2.resize(layer, size, interpolation=interpolation) for layer in maps])
