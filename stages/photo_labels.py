"""What the stages that label photo by photo on the CPU share: missing label maps are made in many processes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PhotoLabels:
    """How the label map of a photo is made, from file to file; it travels to other processes.

    Attributes:
        make: from a photo, its tagged classes and their scores to labels.
        dataset: the photos.
        cams: folder of CAM files.
        labels: folder of the result.
        walked: also hand over the background's score that a random walk carried along, as `background`.
        vote: the rule by which proposals vote on the label, and the folder of their files.
    """

    make: Callable[..., Any]
    dataset: Any
    cams: Path
    labels: Path
    walked: bool = False
    vote: tuple[str, Path] | None = None

    def __call__(self, image_id: str) -> None:
        """Make one photo's label map."""
        import numpy as np

        from acr_lightning.artefacts.cam_file import read_cam
        from acr_lightning.artefacts.item_path import item_path
        from acr_lightning.artefacts.palette import write_mask
        from acr_lightning.errors import UserError
        from acr_lightning.labels.segment_vote import mean_label, voted
        from acr_lightning.proposals.mask_runs import read_proposals

        image, path = self.dataset.image(image_id), item_path(self.cams, image_id, ".npz")
        cam = read_cam(path, self.dataset.num_classes, image.shape[:2])
        more = {}
        if self.walked:
            if cam.background is None and len(cam.classes):
                raise UserError(
                    f"{path}: no walked background; set label.threshold to a number or auto, or "
                    "affinity_walk.model.background_alpha"
                )
            # A photo without tags is background.
            more["background"] = np.ones(image.shape[:2], np.float32) if cam.background is None else cam.background
        label = self.make(image, cam.classes, cam.scores, **more)
        if self.vote is not None:
            rule, folder = self.vote
            masks = read_proposals(item_path(folder, image_id, ".npz"), image.shape[:2])
            label = voted(label, masks) if rule == "sepl" else mean_label(cam.classes, cam.scores, masks)
        write_mask(item_path(self.labels, image_id, ".png"), label)


def make_labels(work: PhotoLabels, ids: Sequence[str], workers: int | None) -> None:
    """Make the label map of every photo that has none, or a damaged one, in so many processes (None: all cores)."""
    from acr_lightning.artefacts.item_path import without_result
    from acr_lightning.artefacts.palette import read_mask
    from acr_lightning.system.pool import map_in_pool

    for _ in map_in_pool(work, without_result(ids, work.labels, ".png", read_mask), "labels", workers):
        pass
