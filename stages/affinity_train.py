"""Stage affinity_train."""

from pathlib import Path

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Section, Stage
from acr_lightning.stages.trainer import check_batch, train, trainer_defaults

HELP = """learn which pixels belong together

Reads the `train` split's photos and `affinity_labels/labels/`. Writes `affinity_train/last.ckpt` after every epoch, and
`affinity_train/csv/`.
"""


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {
        "model": {"class_path": "AffinityLearner", "init_args": {}},
        "data": {"class_path": "LabelledCrops", "init_args": {"batch_size": 10}},
        "trainer": {**trainer_defaults(folder), "max_epochs": 8},
    }


def check(values: Section, devices: int) -> None:
    """Refuse a batch that cannot be shared; see `check_batch`."""
    check_batch("affinity_train", values, devices)


AFFINITY_TRAIN = Stage(
    "affinity_train",
    HELP,
    train,
    defaults,
    reads={"data.labels": ("affinity_labels",)},
    writes=CHECKPOINT,
    choice="affinity",
    check=check,
)
