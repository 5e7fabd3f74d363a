"""What the stages that label photo by photo on the CPU share: missing label maps are made in many processes."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any


def make_labels(
    make: Callable[..., Any],
    dataset: Any,
    cams: Path,
    labels: Path,
    ids: Sequence[str],
    workers: int | None,
) -> None:
    """Make the label map of every photo that has none, or a damaged one, each in one of `workers` processes.

    Args:
        make: from a photo `[H, W, 3]`, its id, its CAM and the path of that to labels; it travels to other processes.
        dataset: the photos.
        cams: folder of CAM files.
        labels: folder of the result.
        ids: of the photos.
        workers: None takes all cores that this process may use.
    """
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import is_whole
    from acr_lightning.system.pool import map_in_pool

    paths = {image_id: item_path(labels, image_id, ".png") for image_id in ids}
    missing_ids = [image_id for image_id, path in paths.items() if not (path.exists() and is_whole(path))]
    work = partial(_label_one, make=make, dataset=dataset, cams=cams, labels=labels)
    for _ in map_in_pool(work, missing_ids, "labels", workers):
        pass


def _label_one(image_id: str, make: Callable[..., Any], dataset: Any, cams: Path, labels: Path) -> None:
    """One photo's label map, from file to file."""
    from acr_lightning.artefacts.cam_file import read_cam
    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.palette import write_mask

    image, path = dataset.image(image_id), item_path(cams, image_id, ".npz")
    cam = read_cam(path, dataset.num_classes, image.shape[:2])
    write_mask(item_path(labels, image_id, ".png"), make(image, image_id, cam, path))


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
