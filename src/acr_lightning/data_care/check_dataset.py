"""A whole data set: every split, every photo, in a pool of processes."""

from collections import Counter
from functools import partial
from typing import get_args

from acr_lightning.artefacts.palette import IGNORE
from acr_lightning.data.tagged import Split, TaggedDataset
from acr_lightning.data_care.check_photo import PhotoResult, check_photo, pixel_shares
from acr_lightning.data_care.finding import Cell, Finding, Report, from_error
from acr_lightning.errors import UserError
from acr_lightning.system.pool import map_in_pool

# Splits whose photos need tags, and splits that are scored, where masks are there for all photos or for none.
TAGGED: tuple[Split, ...] = ("train", "seed")
SCORED: tuple[Split, ...] = ("seed", "val")
FEW = 50


def check_dataset(dataset: TaggedDataset, workers: int | None = None) -> Report:
    """Check lists, photos, tags and masks of a data set.

    Args:
        dataset: which one.
        workers: processes; None takes all cores.
    """
    report = Report()
    splits = _listed(dataset, report)
    with_tags = {image_id for split in TAGGED for image_id in splits.get(split, [])}
    work = partial(check_photo, dataset=dataset, with_tags=with_tags, with_masks=_with_masks(dataset, splits, report))
    ids = list(dict.fromkeys(image_id for several in splits.values() for image_id in several))
    results = {result.image_id: result for result in map_in_pool(work, ids, "photos", workers, FEW)}
    for result in results.values():
        report.problems += result.problems
        report.notes += result.notes
    _compare_splits(splits, report)
    has_masks = any(result.pixels for result in results.values())
    report.tables["splits"] = [
        {
            "split": split,
            "photos": len(ids),
            **({"with a mask": sum(bool(results[image_id].pixels) for image_id in ids)} if has_masks else {}),
            "photos with problems": sum(bool(results[image_id].problems) for image_id in ids),
        }
        for split, ids in splits.items()
    ]
    report.tables["classes"] = _class_table(dataset, splits, results, report)
    return report


def _listed(dataset: TaggedDataset, report: Report) -> dict[Split, list[str]]:
    """The ids of each split that there is."""
    splits: dict[Split, list[str]] = {}
    for split in get_args(Split):
        try:
            ids = dataset.listed(split)
        except UserError as error:
            # Only those who send results to a server have a list of test photos.
            if split != "test":
                report.problems.append(from_error("list", "", error))
            continue
        if ids:
            splits[split] = ids
        elif split == "train":
            what = "no photo to train on"
            report.problems.append(Finding("list", "", split, what, "check the list, the tags and the classes"))
    return splits


def _with_masks(dataset: TaggedDataset, splits: dict[Split, list[str]], report: Report) -> set[str]:
    """The photos that must have a mask."""
    ids_with_masks: set[str] = set()
    for split in SCORED:
        ids = splits.get(split, [])
        try:
            dataset.make_masks(ids)
        except UserError as error:
            report.problems.append(from_error("list", "", error))
        masked = set(filter(dataset.has_mask, ids))
        if masked and masked != set(ids) and dataset.masks_of_some:
            what = f"{len(masked)} of {len(ids)} photos have a mask; scores are of those"
            report.notes.append(Finding("masks", "", split, what, "add the others if there are any"))
        elif masked:
            ids_with_masks |= set(ids)
        elif ids:
            what = "has no masks, so nothing is scored on it"
            report.notes.append(Finding("masks", "", split, what, "add masks if there are any"))
    return ids_with_masks


def _compare_splits(splits: dict[Split, list[str]], report: Report) -> None:
    """Notes on photos that the network is trained and scored on."""
    train = set(splits.get("train", []))
    for split in ("val", "test"):
        if overlap := [image_id for image_id in splits.get(split, []) if image_id in train]:
            what = f"{len(overlap)} of its photos are also trained on, the first is {overlap[0]}"
            remedy = "take them off one of the lists"
            if len(overlap) == len(splits[split]):
                what, remedy = (
                    "all of its photos are also trained on",
                    "keep some for it that are not, if there are any",
                )
            report.notes.append(Finding("overlap", "", split, what, remedy))


def _class_table(
    dataset: TaggedDataset, splits: dict[Split, list[str]], results: dict[str, PhotoResult], report: Report
) -> list[dict[str, Cell]]:
    """Photos by class: tagged in train, with pixels in each scored split, and the share of pixels."""
    tag_counts = Counter(tag for image_id in splits.get("train", []) for tag in results[image_id].tags)
    masks = {
        split: Counter(label for image_id in splits.get(split, []) for label in results[image_id].pixels)
        for split in SCORED
    }
    shares = pixel_shares(results.values())
    labels = [*enumerate(["background", *dataset.class_names]), (IGNORE, "not scored")]
    rows: list[dict[str, Cell]] = []
    for label, name in labels if shares else labels[1:-1]:
        in_train: str | int = tag_counts[label - 1] if 0 < label < IGNORE else ""
        in_masks: dict[str, Cell] = {f"in masks of {split}": masks[split][label] for split in SCORED} if shares else {}
        pixels: dict[str, Cell] = {"% of the masks' pixels": shares[label]} if shares else {}
        rows.append({"class": name, "tagged in train": in_train, **in_masks, **pixels})
        if in_train == 0:
            what = f"no training photo is tagged {name}, so it cannot be learned"
            report.notes.append(Finding("class", "", "train", what, "add photos, or leave the class out"))
    return rows
