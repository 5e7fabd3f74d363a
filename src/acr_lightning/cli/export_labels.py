"""`acr export-labels`: pseudo-labels or predictions in the format of another tool."""

from pathlib import Path
from typing import Any, Literal

from acr_lightning.artefacts.atomic import new_folder
from acr_lightning.artefacts.manifest import require_trained
from acr_lightning.chain.check import checked_dataset
from acr_lightning.chain.experiment_file import load
from acr_lightning.report.stranger import required_dataset
from acr_lightning.stages.chain import CHAIN


def export_labels(
    *,
    run: str,
    of: Literal["labels", "predictions"],
    format: Literal["coco", "cvat", "labelstudio", "yolo", "semantic", "huggingface"],
    photos: str | list[str] | None = None,
    output: str | None = None,
    config: str | None = None,
    **values: Any,
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
        config: the run's experiment file, for its data set, where photos came later; KEY is one of its keys.
        **values: of the experiment.
    """
    require_trained(Path(run))
    from rich.progress import track

    from acr_lightning.label_formats import WRITERS
    from acr_lightning.label_formats.of_run import maps_of, names_of

    dataset = (
        required_dataset(Path(run)) if config is None and not values else checked_dataset(load(CHAIN, config, values))
    )
    names = names_of(Path(run), of, [photos] if isinstance(photos, str) else photos or [])
    folder = Path(output or Path(run) / f"{of}_{format}")
    with new_folder(folder) as temporary:
        maps = track(maps_of(Path(run), of, names, dataset), "export", total=len(names))
        WRITERS[format](maps, dataset.class_names, temporary)
    print(f"{folder}: {of} of {len(names)} photos")
    return 0
