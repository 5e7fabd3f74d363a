"""Augmentation with albumentations: photo and label map change together, padding is never a class."""

from typing import Any, Literal

import albumentations as A
import cv2

from acr_lightning.artefacts.palette import IGNORE

# ImageNet's mean colour: what a network takes for "nothing".
MEAN_COLOUR = (124, 116, 104)


def classification_transform(crop: int, long_side: tuple[int, int]) -> A.Compose:
    """ACR's augmentation: long side at random in a range, random crop, mirror; no colour jitter.

    Args:
        crop: side of the square crop, pixels; smaller photos are pasted at a random place, as in the release.
        long_side: smallest and largest long side, pixels.
    """
    low, high = long_side
    sizes = sorted({*range(low, high, max(1, (high - low) // 16)), high})
    resize = A.LongestMaxSize(max_size=sizes, interpolation=cv2.INTER_AREA)
    return A.Compose([resize, *_crop_and_mirror(crop, place="random")])


def segmentation_transform(crop: int, scale: tuple[float, float], long_side: int | None = None) -> A.Compose:
    """DeepLab's augmentation: random scale, random crop, mirror (Chen et al., PAMI 2018).

    Args:
        crop: side of the square crop, pixels; padding is 255 in the label map.
        scale: smallest and largest factor.
        long_side: resize the long side to this before scaling; null keeps the photo's size.
    """
    resize = [A.LongestMaxSize(max_size=long_side, interpolation=cv2.INTER_AREA)] if long_side else []
    # RandomScale draws 1 + limit.
    zoom = A.RandomScale(scale_limit=(scale[0] - 1, scale[1] - 1), interpolation=cv2.INTER_LINEAR, p=1)
    return A.Compose([*resize, zoom, *_crop_and_mirror(crop)])


def _crop_and_mirror(crop: int, place: Literal["center", "random"] = "center") -> list[Any]:
    pad = {"border_mode": cv2.BORDER_CONSTANT, "fill": MEAN_COLOUR, "fill_mask": IGNORE, "position": place}
    return [
        A.PadIfNeeded(crop, crop, **pad),
        A.RandomCrop(crop, crop),
        A.HorizontalFlip(p=0.5),
    ]
