"""How a run's network was tested: what its score belongs to, and what `acr predict` does again."""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

from acr_lightning.artefacts.manifest import part, read
from acr_lightning.classes.class_names import SHORT, full_path

OWN = SHORT["NetworkInference"]


class RecordedTest(NamedTuple):
    """What a stage `evaluate` says of itself. It may come from anyone, so nothing that it names is imported.

    Attributes:
        class_path: of what made the predictions.
        settings: its arguments without the checkpoint; those of `NetworkInference` with its defaults.
        precision: of the Trainer.
    """

    class_path: str
    settings: dict[str, Any]
    precision: str


def recorded_test(folder: Path) -> RecordedTest:
    """How the network was tested; by `NetworkInference` with its defaults where it was not.

    Args:
        folder: of a stage `evaluate`.
    """
    config = part(read(folder), "config")
    model = part(config, "model")
    init_args = {key: value for key, value in part(model, "init_args").items() if key != "checkpoint"}
    class_path = full_path(str(model.get("class_path", OWN)))
    settings = {**_defaults(), **init_args} if class_path == OWN else init_args
    return RecordedTest(class_path, settings, str(part(config, "trainer").get("precision") or "32-true"))


def _defaults() -> dict[str, Any]:
    from acr_lightning.segment.network_inference import NetworkInference

    parameters = inspect.signature(NetworkInference).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}
