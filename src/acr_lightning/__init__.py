"""ACR: from image tags to a segmentation network (CVPR 2023), as a PyTorch Lightning pipeline.

Importing the package is cheap: torch, lightning and albumentations are loaded by the stages that need them.
"""

import os
from importlib.metadata import PackageNotFoundError, version

# albumentations asks the network for a newer version while it is imported, unless this is set before.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

try:
    __version__ = version("acr-lightning")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
