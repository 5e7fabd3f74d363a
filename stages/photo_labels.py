"""What the stages that label photo by photo on the CPU share: missing label maps are made in many processes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PhotoLabels:
    """How the label map of a photo is made, from file to file; it travels to other processes.

    Attributes:
        make: from a photo `[H, W, 3]`, its id, its CAM and the path of that to labels.
        dataset: the photos.
        cams: folder of CAM files.
        labels: folder of the result.
    """

    make: Callable[..., Any]
    dataset: Any
    cams: Path
    labels: Path

    def __call__(self, image_id: str) -> None:
        """Make one photo's label map."""
        from acr_lightning.artefacts.cam_file import read_cam
        from acr_lightning.artefacts.item_path import item_path
        from acr_lightning.artefacts.palette import write_mask

        image, path = self.dataset.image(image_id), item_path(self.cams, image_id, ".npz")
        cam = read_cam(path, self.dataset.num_classes, image.shape[:2])
        write_mask(item_path(self.labels, image_id, ".png"), self.make(image, image_id, cam, path))


def make_labels(
    work: PhotoLabels, ids: Sequence[str], shard: str | None, verify: bool, workers: int | None
) -> dict[str, int]:
    """Make the label map of every photo that has none, in so many processes (None: all cores).

    Args:
        work: makes one.
        ids: of all photos.
        shard: which of them are done here; None does all.
        verify: read the label maps that are there, too, and make damaged ones again.
        workers: processes.

    Returns:
        Of a shard, how many photos are `left` to others; else nothing.
    """
    from acr_lightning.artefacts.item_path import without_file
    from acr_lightning.artefacts.palette import read_mask
    from acr_lightning.data.shard import of_shard
    from acr_lightning.system.pool import map_in_pool

    missing_ids = without_file(work.labels, of_shard([*ids], shard), ".png", read_mask if verify else None)
    for _ in map_in_pool(work, missing_ids, "labels", workers):
        pass
    return {"left": len(without_file(work.labels, ids, ".png"))} if shard else {}


def photo_label(
    image: Any,
    image_id: str,
    cam: Any,
    path: Path,
    way: Any,
    class_names: Sequence[str],
    decisions: Mapping[str, Any],
    proposals: Path | None = None,
) -> Any:
    """A photo's label as a run makes it, and as a person decided.

    Args:
        image: RGB, `[H, W, 3]`.
        image_id: of the photo.
        cam: its CAM, as the file has it.
        path: of that file.
        way: the run's `LabelWay`.
        class_names: of the data set.
        decisions: on photos, by their ids.
        proposals: folder of the masks that vote; None lets nothing vote.

    Returns:
        `[H, W]`, see `LabelWay.label`.
    """
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.review_file import Decision
    from acr_lightning.errors import UserError
    from acr_lightning.proposals.mask_runs import read_proposals

    decision = decisions.get(image_id, Decision())
    way, cam = way.at(decision.threshold), decision.cam(cam, class_names, path)
    if way.walked and cam.background is None and len(cam.classes):
        raise UserError(
            f"{path}: no walked background; set label.threshold to a number or auto, or "
            "affinity_walk.model.background_alpha"
        )
    masks = None if proposals is None else read_proposals(item_path(proposals, image_id, ".npz"), image.shape[:2])
    return way.label(image, cam, masks)
