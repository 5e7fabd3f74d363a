"""The label maps of a run."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.manifest import classes_of, is_done, require_classes, stages_of
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.data.images import image_size
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.label_formats.label_map import LabelMap
from acr_lightning.report.run_scores import walked

Kind = Literal["labels", "predictions"]
STAGES = {"labels": "label", "predictions": "evaluate"}


def names_of(run: Path, kind: Kind, patterns: Sequence[str]) -> list[str]:
    """The photos that have a pseudo-label, or a prediction, and fit to one of the patterns, where there are any.

    Raises:
        UserError: the stage is not done, or no photo fits.
    """
    stage = stages_of(run).get(STAGES[kind], run / STAGES[kind])
    if not is_done(stage):
        raise UserError(f"{stage}: not done; run `acr {STAGES[kind]}` first")
    folder = stage / kind
    paths = (path.relative_to(folder) for path in folder.rglob("[!.]*.png"))
    names = sorted(path.with_suffix("").as_posix() for path in paths)
    if fitting := [name for name in names if not patterns or any(fnmatchcase(name, one) for one in patterns)]:
        return fitting
    raise UserError(f"{folder}: no photo of {len(names)} is called so; --photos takes names such as 'beach/*'")


def maps_of(run: Path, kind: Kind, names: Sequence[str], dataset: TaggedDataset) -> Iterator[LabelMap]:
    """Each photo's label map, with the scores of its CAM where it is a pseudo-label.

    Raises:
        UserError: a map or a CAM is damaged, or of another photo, or they have other classes.
    """
    stages = stages_of(run)
    stage = stages[STAGES[kind]]
    require_classes(stage, classes_of(stage), dataset.class_names)
    folder, train = stage / kind, {*dataset.ids("train")}
    cams = stages.get("affinity_walk" if walked(stages) else "cam", run / "cam") / "cams"
    for name in names:
        photo = dataset.image_path(name)
        labels = read_mask(item_path(folder, name, ".png"), dataset.num_classes + 1, image_size(photo))
        scores: dict[int, NDArray[np.float32]] = {}
        if kind == "labels" and (path := item_path(cams, name, ".npz")).is_file():
            cam = read_cam(path, dataset.num_classes, labels.shape)
            scores = {int(one) + 1: values for one, values in zip(cam.classes, cam.scores, strict=True)}
        yield LabelMap(name, photo, labels, scores, "train" if name in train else "val")
