"""Stage affinity_walk."""

from functools import partial

from acr_lightning.chain.stage import Stage
from acr_lightning.stages.photo_inference import CAMS, infer_cams, inference_defaults

HELP = """spread the CAMs by a random walk

Reads `cam/cams/` and `affinity_train/last.ckpt`. Writes `affinity_walk/cams/<id>.npz`, from which `label` then makes
its labels.
"""
AFFINITY_WALK = Stage(
    "affinity_walk",
    HELP,
    partial(inference_defaults, "AffinityWalk", "TaggedPhotos", ["train", "seed"]),
    infer_cams,
    reads={"model.checkpoint": ("affinity_train",), "model.cams": ("cam",)},
    writes=CAMS,
    choice="affinity",
    splits=(),
)
