"""Stage segment."""

from functools import partial

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.stage import Stage
from acr_lightning.stages.checks import check_batch
from acr_lightning.stages.trainer import labelled_defaults, train

HELP = """train the segmentation network on the pseudo-labels

Reads the `train` split's photos and `label/labels/` (nothing of the chain with `data.labels: masks`). Writes
`segment/last.ckpt` after every epoch, and `segment/csv/`.
"""
SEGMENT = Stage(
    "segment",
    HELP,
    partial(labelled_defaults, "Segmenter", 20),
    train,
    reads={"data.labels": ("label",)},
    writes=CHECKPOINT,
    check=check_batch,
    sees_masks=lambda section: bool(section["data"]["init_args"].get("labels") == "masks"),
)
