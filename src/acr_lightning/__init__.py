"""ACR: from image tags to a segmentation network (CVPR 2023), as a PyTorch Lightning pipeline.

Importing the package is cheap: torch, lightning and albumentations are loaded by the stages that need them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from acr_lightning.classes import own_modules
from acr_lightning.version import __version__ as __version__

# albumentations asks the network for a newer version while it is imported, unless this is set before.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
own_modules.install()

if TYPE_CHECKING:
    from pathlib import Path

    from acr_lightning.segment.predictor import Predictor


def load(run: str | Path, **options: Any) -> Predictor:
    """The trained network of a run: `load("runs/voc")("photo.jpg")` is its label map.

    Args:
        run: folder of a run whose stage `segment` is done.
        options: of `Predictor`: device; scales, flip, long_side, refiner, window, where they are not to be as tested.
    """
    from acr_lightning.segment.predictor import Predictor

    return Predictor(run, **options)
