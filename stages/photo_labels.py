"""What the stages that label photo by photo on the CPU share: missing label maps are made in many processes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any


def make_labels(
    make: Callable[..., Any],
    dataset: Any,
    cams: Path,
    labels: Path,
    ids: Sequence[str],
    shard: str | None,
    verify: bool,
    workers: int | None,
    walked: bool = False,
    vote: tuple[str, Path] | None = None,
) -> dict[str, int]:
    """Make the label map of every photo that has none, each in one of `workers` processes.

    Args:
        make: from a photo, its tagged classes and their scores to labels; it travels to other processes.
        dataset: the photos.
        cams: folder of CAM files.
        labels: folder of the result.
        ids: of all photos.
        shard: which of them are done here; None does all.
        verify: read the label maps that are there, too, and make damaged ones again.
        workers: None takes all cores that this process may use.
        walked: also hand over the background's score that a random walk carried along, as `background`.
        vote: the rule by which proposals vote on the label, and the folder of their files.

    Returns:
        Of a shard, how many photos are `left` to others; else nothing.
    """
    from acr_lightning.artefacts.item_path import without_file
    from acr_lightning.artefacts.palette import is_whole
    from acr_lightning.data.shard import of_shard
    from acr_lightning.system.pool import map_in_pool

    missing_ids = without_file(labels, of_shard([*ids], shard), ".png", is_whole if verify else None)
    work = partial(_label_one, make=make, dataset=dataset, cams=cams, labels=labels, walked=walked, vote=vote)
    for _ in map_in_pool(work, missing_ids, "labels", workers):
        pass
    return {"left": len(without_file(labels, ids, ".png"))} if shard else {}


def _label_one(
    image_id: str,
    make: Callable[..., Any],
    dataset: Any,
    cams: Path,
    labels: Path,
    walked: bool,
    vote: tuple[str, Path] | None,
) -> None:
    """One photo's label map, from file to file."""
    import numpy as np

    from acr_lightning.artefacts.cam_file import read_cam
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import write_mask
    from acr_lightning.errors import UserError
    from acr_lightning.labels.segment_vote import mean_label, voted
    from acr_lightning.proposals.mask_runs import read_proposals

    image, path = dataset.image(image_id), item_path(cams, image_id, ".npz")
    cam = read_cam(path, dataset.num_classes, image.shape[:2])
    more = {}
    if walked:
        if cam.background is None and len(cam.classes):
            raise UserError(
                f"{path}: no walked background; set label.threshold to a number or auto, or "
                "affinity_walk.model.background_alpha"
            )
        # A photo without tags is background.
        more["background"] = np.ones(image.shape[:2], np.float32) if cam.background is None else cam.background
    label = make(image, cam.classes, cam.scores, **more)
    if vote is not None:
        rule, folder = vote
        masks = read_proposals(item_path(folder, image_id, ".npz"), image.shape[:2])
        label = voted(label, masks) if rule == "sepl" else mean_label(cam.classes, cam.scores, masks)
    write_mask(item_path(labels, image_id, ".png"), label)
