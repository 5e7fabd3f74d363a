"""Stage segment."""

from pathlib import Path

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Section, Stage
from acr_lightning.stages.trainer import check_batch, train, trainer_defaults

HELP = """train the segmentation network on the pseudo-labels

Reads the `train` split's photos and `label/labels/` (nothing of the chain with `data.labels: masks`). Writes
`segment/last.ckpt` after every epoch, and `segment/csv/`.
"""


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {
        "model": {"class_path": "Segmenter", "init_args": {}},
        "data": {"class_path": "LabelledCrops", "init_args": {"batch_size": 10}},
        "trainer": {**trainer_defaults(folder), "max_epochs": 20},
    }


def check(values: Section, devices: int) -> None:
    """Refuse a batch that cannot be shared; see `check_batch`."""
    check_batch("segment", values, devices)


def sees_masks(section: Section) -> bool:
    """Whether it trains on the true masks."""
    return bool(section["data"]["init_args"].get("labels") == "masks")


SEGMENT = Stage(
    "segment",
    HELP,
    train,
    defaults,
    reads={"data.labels": ("label",)},
    writes=CHECKPOINT,
    check=check,
    sees_masks=sees_masks,
)
