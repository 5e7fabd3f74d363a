"""`acr evaluate --pred DIR`, `--cams DIR`: any folder of label maps, scored and packed; any folder of CAMs, scored."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.cam_file import MOST_CLASSES
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.errors import UserError, shown


def score_cams(cams: Path, dataset: TaggedDataset, split: Split, output: str | None) -> None:
    """Score a folder of CAMs against the masks of a data set, at all thresholds and exponents."""
    from acr_lightning.artefacts.atomic import as_json
    from acr_lightning.metrics.cam_scores import cam_curves
    from acr_lightning.report.run_scores import ORACLE, has_masks, print_and_keep

    ids = ids_of(dataset, split)
    if not has_masks(dataset, ids):
        raise UserError(f"split {split}: no masks to score with")
    curves = cam_curves(cams, dataset, ids)
    exponents = [(f"alpha {row['alpha']}: the background is (1 − max CAM)^alpha", row) for row in curves.exponents]
    rows = [(ORACLE, curves.best), *exponents]
    records = [{"what": "cam", "split": split, "chosen": choice, **row} for choice, row in rows]
    print_and_keep(records, output, {"sweep.json": as_json(curves.brief())})


def score_predictions(
    predictions: Path, dataset: TaggedDataset, split: Split, output: str | None, pack: str | None
) -> None:
    """Score a folder of predictions against the masks of a data set, and pack it if asked to."""
    from acr_lightning.metrics.folder_scores import count_folder
    from acr_lightning.report.run_scores import has_masks

    ids = ids_of(dataset, split)
    if has_masks(dataset, ids):
        names = ["background", *dataset.class_names]
        _show(predictions, count_folder(predictions, ids, dataset.mask, len(names)), names, split, output)
    elif pack is None:
        raise UserError(f"split {split}: no masks to score with")
    if pack:
        write_pack(Path(pack), predictions, dataset, ids)


def score_against_folder(
    predictions: Path, masks: Path, classes: int | str | list[str] | None, id_list: str | None, output: str | None
) -> None:
    """Score a folder of predictions against a folder of masks."""
    from acr_lightning.metrics.folder_scores import score_folders

    names = _class_names(classes)
    num_classes = classes if isinstance(classes, int) else len(names) or None
    counts = score_folders(predictions, masks, num_classes, Path(id_list) if id_list else None)
    names = names or [f"class {label}" for label in range(1, len(counts))]
    _show(predictions, counts, ["background", *names], masks.name, output)


def _show(predictions: Path, counts: NDArray[np.int64], names: list[str], split: str, output: str | None) -> None:
    """Print the table, and keep it with the confusion matrix if asked to."""
    from acr_lightning.metrics.confusion import confusion_csv, scores
    from acr_lightning.report.run_scores import print_and_keep

    records = [{"what": predictions.name, "split": split, **scores(counts, names)}]
    print_and_keep(records, output, {"confusion.csv": confusion_csv(counts, names)})


def write_pack(path: Path, predictions: Path, dataset: TaggedDataset, ids: list[str]) -> None:
    """Write an archive for PASCAL VOC's server."""
    from acr_lightning.data.images import image_size
    from acr_lightning.data.voc import VOC2012
    from acr_lightning.metrics import voc_server

    if not isinstance(dataset, VOC2012):
        raise UserError(f"--pack: PASCAL VOC's server takes no predictions on {type(dataset).__name__}")
    sizes = {image_id: image_size(dataset.image_path(image_id)) for image_id in ids}
    voc_server.write_pack(path, predictions, sizes, dataset.stored_labels())
    print(f"{path}: {len(ids)} label maps, each as large as its photo")


def ids_of(dataset: TaggedDataset, split: Split) -> list[str]:
    """The ids of a split.

    Raises:
        UserError: there are none.
    """
    ids = dataset.ids(split)
    if not ids:
        raise UserError(f"--split: this {type(dataset).__name__} has no photos in the split '{split}'")
    return ids


def _class_names(classes: int | str | list[str] | None) -> list[str]:
    """The names given with `--classes`; none where it is a number or not given."""
    if classes is None:
        return []
    if isinstance(classes, int):
        if not 1 <= classes <= MOST_CLASSES:
            raise UserError(f"--classes: expected 1 to {MOST_CLASSES}, or names separated by commas, not {classes}")
        return []
    names = [name.strip() for name in (classes.split(",") if isinstance(classes, str) else classes)]
    if not all(names) or len(names) > MOST_CLASSES:
        raise UserError(f"--classes: expected a number, or up to {MOST_CLASSES} names separated by commas")
    if twice := next((name for at, name in enumerate(names) if name in ("background", *names[:at])), None):
        raise UserError(f"--classes: {shown(twice)} is there twice (label 0 is the background); name each class once")
    return names
