"""What a run holds for a review of its labels."""

import itertools
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts import review_file
from acr_lightning.artefacts.cam_file import CamFile, read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.manifest import classes_of, part, read, require_classes, stages_of
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.artefacts.review_file import Decision
from acr_lightning.chain.messages import parsed, parser_of
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError, nearest, shown
from acr_lightning.label_formats.of_run import names_of
from acr_lightning.labels.label_way import LabelWay
from acr_lightning.labels.refiner import build_refiner, is_own
from acr_lightning.report.notes import Notes
from acr_lightning.report.pictures import predictions_of
from acr_lightning.report.run_scores import walked
from acr_lightning.stages.label import label as label_stage
from acr_lightning.stages.photo_labels import photo_label


@dataclass(frozen=True)
class ReviewedRun:
    """A run with labels; it travels to other processes.

    Attributes:
        dataset: its photos.
        names: ids of those that have a label and that the network is trained on.
        way: how the labels were made.
        review: the file of the decisions, beside the stage whose labels they are about.
        cams: folder of the CAMs that the labels were made from.
        labels: folder of the labels.
        predictions: folder of the network's predictions; it need not be there.
        proposals: folder of the masks that voted on the labels, or None.
        made_with: the decisions that the labels were made with.
    """

    dataset: TaggedDataset
    names: tuple[str, ...]
    way: LabelWay
    review: Path
    cams: Path
    labels: Path
    predictions: Path
    proposals: Path | None
    made_with: dict[str, Decision]

    def tags(self, name: str) -> list[str]:
        """The names of the classes that a photo is tagged with."""
        return [self.dataset.class_names[index] for index in self.dataset.tags(name)]

    def cam(self, name: str, size: tuple[int, ...] | None = None, decision: Decision | None = None) -> CamFile:
        """A photo's CAM, without what a decision removed.

        Raises:
            UserError: it is missing or damaged, not of this height and width, or lacks a class that was added.
        """
        path = item_path(self.cams, name, ".npz")
        cam = read_cam(path, self.dataset.num_classes, size)
        return cam if decision is None else decision.cam(cam, self.dataset.class_names, path)

    def label(self, name: str) -> NDArray[np.uint8]:
        """A photo's label as it was made, `[H, W]`; a `UserError` where it is missing or damaged."""
        return read_mask(item_path(self.labels, name, ".png"), self.dataset.num_classes + 1)

    def prediction(self, name: str) -> NDArray[np.uint8] | None:
        """What the network makes of a photo, `[H, W]`; None where it was not asked."""
        path = item_path(self.predictions, name, ".png")
        return read_mask(path, self.dataset.num_classes + 1) if path.is_file() else None

    def drawn(self, name: str, decision: Decision, refined: bool) -> NDArray[np.uint8]:
        """The label of a photo `[H, W]` as stage `label` makes it with a decision, or without refiner and votes.

        Classes that were added have no CAM before stage `cam` is done again, and are left out.

        Raises:
            UserError: a file is missing or damaged.
        """
        image = self.dataset.image(name)
        cam, path = self.cam(name, image.shape[:2]), item_path(self.cams, name, ".npz")
        way, proposals = (self.way, self.proposals) if refined else (replace(self.way, refiner=None), None)
        decisions = {name: replace(decision, added=())}
        return photo_label(image, name, cam, path, way, self.dataset.class_names, decisions, proposals)

    def is_made_with(self, name: str, decision: Decision) -> bool:
        """Whether the label that is there is the one that a decision asks for, as far as there are CAMs for it."""
        made_with = self.made_with.get(name, Decision())
        return replace(made_with, verdict=None) == replace(decision, verdict=None, added=made_with.added)

    def decisions(self) -> dict[str, Decision]:
        """What was decided so far; a `UserError` where the file is damaged."""
        return review_file.read(self.review, self.dataset.class_names)

    def decide(self, more: dict[str, Decision]) -> None:
        """Add decisions to the file, or change those on the same photos; see `decisions` for the errors."""
        review_file.write(self.review, self.decisions() | more)

    def take(self, path: Path, may_change: bool) -> list[str]:
        """Add the decisions of another file, and say in lines what was done.

        Args:
            path: the file.
            may_change: let them change decisions that are there; the file before is kept beside it.

        Raises:
            UserError: the file is missing or damaged, is about a photo without a label here, or decides otherwise.
        """
        if not path.is_file():
            raise UserError(f"--take: {path}: no such file")
        before, more = self.decisions(), review_file.read(path, self.dataset.class_names)
        for name in more.keys() - set(self.names):
            raise UserError(f"{path}: no photo {shown(name)} has a label here.{nearest(name, self.names)}")
        changed = [name for name, one in more.items() if name in before and before[name] != one]
        if changed and not may_change:
            raise UserError(
                f"{path}: decides otherwise than {self.review} on {len(changed)} photos, such as {shown(changed[0])}; "
                "--replace takes its decisions, and keeps the file before"
            )
        lines = [f"{self.review}: {len(more)} decisions taken in, {len(changed)} of them changed what was there"]
        if changed:
            olds = (self.review.with_name(f"{self.review.stem}.old-{n}.json") for n in itertools.count(1))
            old = next(one for one in olds if not one.exists())
            review_file.write(old, before)
            lines.insert(0, f"{old}: the decisions before")
        self.decide(more)
        return lines


def reviewed_run(run: Path, dataset: TaggedDataset, notes: Notes, trusted: bool) -> ReviewedRun:
    """What a run's folder says.

    Args:
        run: the folder.
        dataset: its photos.
        notes: where it is said what cannot be drawn.
        trusted: whether code of other packages may be run, as the run's user has named them in the experiment.

    Raises:
        UserError: the stage `label` is not done, for any photo of the split `train`, or its manifest is damaged.
    """
    train, stages = {*dataset.ids("train")}, stages_of(run)
    names = [name for name in names_of(run, "labels", ()) if name in train]
    require_classes(stages["label"], classes_of(stages["label"]), dataset.class_names)
    if not names:
        raise UserError(f"{stages['label']}: holds no label of a photo of the split train; there is nothing to review")
    manifest = read(stages["label"]) or {}
    config = parsed(parser_of(label_stage), part(manifest, "config"), "label.").as_dict()
    value = part(manifest, "counts").get("threshold")
    way = LabelWay(
        float(value) if isinstance(value, int | float) and 0 <= value <= 1 else None,
        config["alpha"], None, config["margin"], config["smoothing"], config["vote"],
        config["confidence"],
    )  # fmt: skip
    if trusted or is_own(config["refiner"]):
        make = partial(build_refiner, config["refiner"], "label.refiner")
        way = replace(way, refiner=notes.without(make, None))
    else:
        notes.append(f"label.refiner: {shown(str(config['refiner']))} is another package's; give --config FILE")
    return ReviewedRun(
        dataset, tuple(names), way, stages["label"].parent / review_file.NAME,
        stages.get("affinity_walk" if walked(stages) else "cam", run / "cam") / "cams",
        stages["label"] / "labels", predictions_of(run),
        stages.get("proposals", run / "proposals") / "masks" if way.vote else None,
        review_file.read(stages["label"] / review_file.NAME, dataset.class_names),
    )  # fmt: skip
