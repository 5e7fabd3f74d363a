"""ACR: from image tags to a segmentation network (CVPR 2023), as a PyTorch Lightning pipeline.

Importing the package is cheap: torch, lightning and albumentations are loaded by the stages that need them.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

# albumentations asks the network for a newer version while it is imported, unless this is set before.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

try:
    __version__ = version("acr-lightning")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from pathlib import Path

    from acr_lightning.segment.predictor import Predictor


def load(run: str | Path, **options: Any) -> Predictor:
    """The trained network of a run: `load("runs/voc")("photo.jpg")` is its label map.

    Args:
        run: folder of a run whose stage `segment` is done.
        options: of `Predictor`: device, scales, flip, long_side.
    """
    from acr_lightning.segment.predictor import Predictor

    return Predictor(run, **options)
