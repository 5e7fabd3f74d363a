"""Stage cam."""

from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.stages.photo_inference import check_scales, infer, inference_defaults

HELP = """the classifier's CAM of every photo

Reads `fit/last.ckpt` and the photos and tags of the splits `train` and `seed`. Writes `cam/cams/<id>.npz`.
"""
CAMS = "cams"


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {
        "model": {"class_path": "CamInference", "init_args": {}},
        "data": {"class_path": "TaggedPhotos", "init_args": {"splits": ["train", "seed"]}},
        "trainer": inference_defaults(folder),
    }


def main(job: Job) -> dict[str, Any]:
    """Make the CAMs that are not there yet; returns counts for the manifest."""
    from acr_lightning.artefacts.cam_file import is_whole, write_cam

    return infer(job, job.folder / CAMS, ".npz", write_cam, is_whole)


def check(values: Section, devices: int) -> None:
    """Refuse inference at no scale."""
    check_scales("cam", values)


CAM = Stage(
    "cam",
    HELP,
    main,
    defaults,
    reads={"model.checkpoint": ("fit",)},
    writes=CAMS,
    allows="model.allow",
    check=check,
    splits=(),
)
