"""`acr export-labels`: pseudo-labels or predictions in the format of another tool."""

from pathlib import Path
from typing import Literal

from acr_lightning.artefacts.atomic import new_folder
from acr_lightning.artefacts.manifest import require_trained
from acr_lightning.errors import UserError


def export_labels(
    *,
    run: str,
    of: Literal["labels", "predictions"],
    format: Literal["coco", "cvat", "labelstudio", "yolo", "semantic", "huggingface"],
    photos: str | list[str] | None = None,
    output: str | None = None,
    allow: str | list[str] | None = None,
) -> int:
    """A run's pseudo-labels or predictions as a data set for another tool, in a new folder.

    What is in the folder, and what a format cannot hold, is in docs/photos.md. Pseudo-labels have scores, the mean of
    the CAM in each region, where the format has a place for them (coco, labelstudio).

    Args:
        run: folder of a run.
        of: `labels` (stage `label`) or `predictions` (stage `evaluate`).
        format: of the result.
        photos: only these, by their names in the data set without suffix, such as `beach/*`; or `[several, ones]`.
        output: the new folder; `<of>_<format>` in the run if none is given.
        allow: a package, beside acr_lightning, whose data set the run may name: you trust its code; or `[several]`.
    """
    require_trained(Path(run))
    from rich.progress import track

    from acr_lightning.label_formats import WRITERS
    from acr_lightning.label_formats.of_run import maps_of, names_of
    from acr_lightning.report.notes import Notes
    from acr_lightning.report.stranger import dataset_of, require_contained

    require_contained(Path(run))
    names = names_of(Path(run), of, [photos] if isinstance(photos, str) else photos or [])
    folder = Path(output or Path(run) / f"{of}_{format}")
    notes = Notes()
    dataset = dataset_of(Path(run), [allow] if isinstance(allow, str) else allow or (), notes)
    if dataset is None:
        raise UserError(f"{run}: {notes[0] if notes else 'its manifests name no data set'}")
    with new_folder(folder) as temporary:
        maps = maps_of(Path(run), of, names, dataset)
        WRITERS[format](track(maps, "export", total=len(names)), dataset.class_names, temporary)
    print(f"{folder}: {of} of {len(names)} photos")
    return 0
