"""Stage cam: the classifier's CAM of every photo.

Reads `fit/last.ckpt` and the photos and tags of the splits `train` and `seed`. Writes `cam/cams/<id>.npz`.
"""

from pathlib import Path
from typing import Any

READS: tuple[str, ...] = ("fit",)
ALSO_READS: tuple[str, ...] = ()


def defaults(run: Path) -> dict[str, Any]:
    """The section's defaults."""
    from acr_lightning.stages import inference

    return {
        "seed_everything": 0,
        "model": {
            "class_path": "acr_lightning.cam.inference.CamInference",
            "init_args": {"checkpoint": str(run / "fit" / "last.ckpt")},
        },
        "data": {"class_path": "acr_lightning.data.datamodule.TaggedPhotos", "init_args": {}},
        "trainer": inference.defaults(run / "cam"),
    }


def main(section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the CAMs that are not there yet; returns counts for the manifest."""
    from acr_lightning.stages import inference

    from acr_lightning.artefacts.cam_file import is_whole
    from acr_lightning.cam.inference import CamWriter

    return inference.predict(section, CamWriter(folder / "cams"), folder / "cams", ".npz", is_whole)
