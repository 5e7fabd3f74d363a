"""Stage affinity_walk."""

from pathlib import Path
from typing import Any

from acr_lightning.chain.stage import Job, Section, Stage
from acr_lightning.stages.photo_inference import infer, inference_defaults

HELP = """spread the CAMs by a random walk

Reads `cam/cams/` and `affinity_train/last.ckpt`. Writes `affinity_walk/cams/<id>.npz`, from which `label` then makes
its labels.
"""
CAMS = "cams"


def defaults(folder: Path) -> Section:
    """The section's defaults."""
    return {
        "model": {"class_path": "AffinityWalk", "init_args": {}},
        "data": {"class_path": "TaggedPhotos", "init_args": {"splits": ["train", "seed"]}},
        "trainer": inference_defaults(folder),
    }


def main(job: Job) -> dict[str, Any]:
    """Walk the CAMs that are not walked yet; returns counts for the manifest."""
    from acr_lightning.artefacts.cam_file import is_whole, write_cam

    return infer(job, job.folder / CAMS, ".npz", write_cam, is_whole)


AFFINITY_WALK = Stage(
    "affinity_walk",
    HELP,
    main,
    defaults,
    reads={"model.checkpoint": ("affinity_train",), "model.cams": ("cam",)},
    writes=CAMS,
    choice="affinity",
    splits=(),
)
