"""Which of the network's predictions the page shows first: photos that no pseudo-label was made for."""

from functools import partial
from pathlib import Path

from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.palette import read_mask
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError
from acr_lightning.metrics.confusion import confusion, scores
from acr_lightning.report.notes import Notes
from acr_lightning.report.pictures import predictions_of


def held_out(run: Path, dataset: TaggedDataset, count: int, notes: Notes) -> list[tuple[str, str]]:
    """Photos with a prediction, and what is said of each.

    Args:
        run: whose predictions are shown.
        dataset: with masks: the best and the worst predictions by their mIoU; without: photos spread over the split.
        count: at most so many.
        notes: says what cannot be read.

    Returns:
        Ids, each with a few words; empty where the network has predicted on none.
    """
    folder = predictions_of(run)
    paths = {image_id: item_path(folder, image_id, ".png") for image_id in dataset.ids("val")}
    ids = [image_id for image_id, path in paths.items() if path.is_file()]
    masked = [image_id for image_id in ids if dataset.has_mask(image_id)]
    if not masked:
        return [(image_id, "") for image_id in spread(ids, count)]
    scores = {one: notes.without(partial(_score, paths[one], dataset, one), None) for one in masked}
    order = sorted([(score, one) for one, score in scores.items() if score is not None], key=lambda pair: -pair[0])
    worst = min(count, len(order)) // 2
    best = min(count, len(order)) - worst
    shown = [("best", *pair) for pair in order[:best]] + [("worst", *pair) for pair in order[len(order) - worst :]]
    return [(image_id, f"{word}: mIoU {score:.0f}") for word, score, image_id in shown]


def where_tested(run: Path, dataset: TaggedDataset) -> str:
    """What the photos are that the network was tested on, and whether it has seen them before."""
    trained = {*dataset.ids("train")}
    ids = [one for one in dataset.ids("val") if item_path(predictions_of(run), one, ".png").is_file()]
    if not (seen := sum(one in trained for one in ids)):
        return "Photos that the network was tested on"
    return (
        f"Photos that the network was tested on, {seen} of these {len(ids)} also trained on. How well it does on "
        "others, only photos can say that it has not seen: in a folder val, or without a tag"
    )


def spread(ids: list[str], count: int) -> list[str]:
    """So many of the ids, at even distances."""
    return [ids[index * len(ids) // count] for index in range(count)] if len(ids) > count else ids


def _score(path: Path, dataset: TaggedDataset, image_id: str) -> float:
    """The mIoU of one photo, per cent, over the labels that it or its prediction has."""
    mask, num_labels = dataset.mask(image_id), dataset.num_classes + 1
    if mask is None:
        raise UserError(f"{image_id}: no mask to score with")
    counts = confusion(mask, read_mask(path, num_labels, mask.shape, unknown=False), num_labels)
    return float(scores(counts, ["background", *dataset.class_names])["miou"])
