"""Stage affinity_train."""

from functools import partial

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Stage
from acr_lightning.stages.checks import check_batch
from acr_lightning.stages.trainer import labelled_defaults, train

HELP = """learn which pixels belong together

Reads the `train` split's photos and `affinity_labels/labels/`. Writes `affinity_train/last.ckpt` after every epoch, and
`affinity_train/csv/`.
"""
AFFINITY_TRAIN = Stage(
    "affinity_train",
    HELP,
    partial(labelled_defaults, "AffinityLearner", 8),
    train,
    reads={"data.labels": ("affinity_labels",)},
    writes=CHECKPOINT,
    choice="affinity",
    check=check_batch,
)
