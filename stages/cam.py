"""Stage cam."""

from functools import partial

from acr_lightning.chain.stage import Stage
from acr_lightning.stages.checks import check_scales
from acr_lightning.stages.photo_inference import CAMS, infer_cams, inference_defaults

HELP = """the classifier's CAM of every photo

Reads `fit/last.ckpt` and the photos and tags of the splits `train` and `seed`. Writes `cam/cams/<id>.npz`.
"""
CAM = Stage(
    "cam",
    HELP,
    partial(inference_defaults, "CamInference", "TaggedPhotos", ["train", "seed"]),
    infer_cams,
    reads={"model.checkpoint": ("fit",)},
    writes=CAMS,
    check=check_scales,
    splits=(),
)
