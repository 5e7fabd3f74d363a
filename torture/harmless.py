"""What the harmless twins of attacks name: allowed classes of each kind, which leave the mark that an attack would."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback

from acr_lightning.data.shapes import Shapes
from acr_lightning.nets.classifier import CamClassifier
from torture.attack import RAN


class Data(Shapes):
    """A data set."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        Path(RAN).touch()


class Network(CamClassifier):
    """A classifier."""

    def __init__(
        self,
        num_classes: int,
        backbone: str,
        weights: str | None = None,
        output_stride: int | None = None,
        freeze_batchnorm: bool = True,
        width: int | None = 256,
        taps: int = 3,
        blocks: Any = None,
    ) -> None:
        super().__init__(num_classes, backbone, weights, output_stride, freeze_batchnorm, width, taps, blocks)
        Path(RAN).touch()


class Refiner:
    """A refiner."""

    def __init__(self) -> None:
        Path(RAN).touch()

    def __call__(self, image: Any, probabilities: Any) -> Any:
        """Nothing is refined."""
        return probabilities


class Talk(Callback):
    """A callback of the Trainer."""

    def __init__(self) -> None:
        Path(RAN).touch()
