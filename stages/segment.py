"""Stage segment: train the segmentation network on the pseudo-labels.

Reads the `train` split's photos and `label/labels/` (nothing of the chain with `data.labels: masks`). Writes
`segment/last.ckpt` after every epoch, and `segment/csv/`.
"""

from pathlib import Path
from typing import Any

READS: tuple[str, ...] = ("label",)
ALSO_READS: tuple[str, ...] = ()


def reads(section: dict[str, Any]) -> tuple[str, ...]:
    """The true masks need no pseudo-labels."""
    return () if section["data"]["init_args"].get("labels") == "masks" else READS


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults."""
    from acr_lightning.stages import trainer

    return {
        "seed_everything": 0,
        "model": {"class_path": "acr_lightning.segment.module.Segmenter", "init_args": {}},
        "data": {
            "class_path": "acr_lightning.data.datamodule.PseudoLabels",
            "init_args": {"labels": str(run / "label" / "labels")},
        },
        "trainer": {**trainer.defaults(run / "segment"), "max_epochs": 20},
    }


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Train, or go on where a killed run stopped; returns counts for the manifest."""
    from acr_lightning.stages import trainer

    return trainer.fit(section, folder)
