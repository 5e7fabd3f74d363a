"""A linter for a folder of label maps: pseudo-labels, or masks that somebody drew."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.data.images import image_size
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data_care.check_photo import PhotoResult, check_mask, count_pixels, pixel_shares
from acr_lightning.data_care.finding import Cell, Finding, Report, from_error
from acr_lightning.errors import UserError
from acr_lightning.system.pool import map_in_pool

FEW = 50


def check_labels(folder: Path, dataset: TaggedDataset, workers: int | None = None) -> Report:
    """Check every `<id>.png` of a folder.

    Args:
        folder: of the label maps, 0 background, 1..K, 255 unknown.
        dataset: gives photos, tags and the number of classes.
        workers: processes; None takes all cores.

    Raises:
        UserError: there is no such folder, or it holds no label map.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of labels")
    paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.png"))}
    if not paths:
        raise UserError(f"{folder}: holds no label map (<id>.png)")
    report = Report()
    tags, photos = _expected(dataset, paths, folder, report)
    names = dataset.class_names
    work = partial(check_label_map, paths=paths, photos=photos, tags=tags, class_names=names)
    results = list(map_in_pool(work, list(paths), "labels", workers, FEW))
    for result in results:
        report.problems += result.problems
        report.notes += result.notes
    report.tables["labels"] = _label_table(names, results)
    return report


def check_label_map(
    image_id: str,
    paths: Mapping[str, Path],
    photos: Mapping[str, Path],
    tags: Mapping[str, tuple[int, ...]],
    class_names: tuple[str, ...],
) -> PhotoResult:
    """Check one label map against its palette, and the size and tags of its photo, if these are known."""
    own_tags, num_labels, size = tags.get(image_id, ()), len(class_names) + 1, None
    problems: list[Finding] = []
    notes: list[Finding] = []
    if image_id in photos:
        try:
            size = image_size(photos[image_id])
        except UserError as error:
            problems.append(from_error("photo", image_id, error))
    mask, faults = check_mask(image_id, paths[image_id], size, num_labels)
    problems += faults
    if mask is None:
        return PhotoResult(image_id, problems, notes, own_tags, {})
    pixels = count_pixels(mask.labels)
    file = str(paths[image_id])
    if mask.colours is None:
        notes.append(Finding("palette", image_id, file, "is grey, without a palette", "fine to train on"))
    labels = [label for label in pixels if 0 < label < num_labels]
    if pixels.keys() == {IGNORE}:
        problems.append(
            Finding("empty", image_id, file, "is 255 throughout, nothing is learned from it", "make it again")
        )
    elif not labels:
        notes.append(Finding("empty", image_id, file, "shows background alone", "lower the threshold if many do"))
    if image_id in tags and (strange := [label for label in labels if label - 1 not in own_tags]):
        what = f"shows what is not tagged: {', '.join(class_names[label - 1] for label in strange)}"
        problems.append(Finding("tags", image_id, file, what, "keep the tagged classes only"))
    return PhotoResult(image_id, problems, notes, own_tags, pixels)


def _expected(
    dataset: TaggedDataset, paths: Mapping[str, Path], folder: Path, report: Report
) -> tuple[dict[str, tuple[int, ...]], dict[str, Path]]:
    """Tags and photos of the label maps; missing and surplus label maps are reported."""
    train, every = dataset.ids("train"), dict.fromkeys(dataset.ids("train") + dataset.ids("seed"))
    for image_id in train:
        if image_id not in paths:
            file = str(folder / f"{image_id}.png")
            report.problems.append(Finding("missing", image_id, file, "no such label", "run `acr label`"))
    tags = {image_id: tuple(dataset.tags(image_id).tolist()) for image_id in every if image_id in paths}
    others = dict.fromkeys([*every, *dataset.ids("val")])
    photos = {image_id: dataset.image_path(image_id) for image_id in others if image_id in paths}
    for image_id, path in paths.items():
        if image_id not in others:
            what = "is no id of the data set"
            report.notes.append(Finding("surplus", image_id, str(path), what, "remove it, or set the right dataset"))
    return tags, photos


def _label_table(names: tuple[str, ...], results: list[PhotoResult]) -> list[dict[str, Cell]]:
    """By label: photos tagged, label maps that show it, share of all pixels."""
    photo_counts = Counter(tag + 1 for result in results for tag in result.tags)
    map_counts, shares = Counter(label for result in results for label in result.pixels), pixel_shares(results)
    return [
        {
            "label": name,
            "photos tagged": photo_counts[label] if photo_counts and 0 < label < IGNORE else "",
            "label maps": map_counts[label],
            "% of all pixels": shares[label],
        }
        for label, name in [*enumerate(["background", *names]), (IGNORE, "unknown (255)")]
        if photo_counts[label] or map_counts[label] or label in (0, IGNORE)
    ]
