"""One photo, its tags and its mask: what is wrong with them."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.palette import StoredMask, label_faults, read_stored_mask
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.data_care.finding import REMEDIES, Finding, from_error
from acr_lightning.errors import UserError


class PhotoResult(NamedTuple):
    """What was found with one photo's mask or pseudo-label.

    Attributes:
        image_id: the photo.
        problems: what has to be mended.
        notes: what may be meant so.
        tags: classes, counted from 0.
        pixels: of its mask, by label 0..K and 255; empty without a readable mask.
    """

    image_id: str
    problems: list[Finding]
    notes: list[Finding]
    tags: tuple[int, ...]
    pixels: dict[int, int]


def check_photo(image_id: str, dataset: TaggedDataset, with_tags: set[str], with_masks: set[str]) -> PhotoResult:
    """Decode a photo and its mask to the end, and compare them with each other and with the tags.

    It must have tags or a mask if it is one of these ids; a mask that is there is checked anyway.
    """
    problems: list[Finding] = []
    size = None
    try:
        size = dataset.image(image_id).shape[:2]
    except UserError as error:
        kind = "damaged" if dataset.image_path(image_id).is_file() else "missing"
        problems.append(from_error(kind, image_id, error))
    tags: tuple[int, ...] = ()
    if image_id in with_tags:
        try:
            tags = tuple(dataset.tags(image_id).tolist())
        except UserError as error:
            problems.append(from_error("tags", image_id, error))
    path = dataset.mask_path(image_id)
    mask = None
    if path is not None and dataset.has_mask(image_id):
        mask, faults = check_mask(image_id, path, size, dataset.num_stored_labels)
        problems += faults
    elif path is not None and image_id in with_masks:
        problems.append(Finding("missing", image_id, str(path), "no such mask", "add it, or take the id off the list"))
    if mask is None:
        return PhotoResult(image_id, problems, [], tags, {})
    pixels = count_pixels(dataset.relabel(mask.labels))
    notes = compare_tags(image_id, path or Path(), tags, pixels, dataset.class_names) if image_id in with_tags else []
    return PhotoResult(image_id, problems, notes, tags, pixels)


def count_pixels(labels: NDArray[np.uint8]) -> dict[int, int]:
    """The pixels of a label map, by label."""
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def pixel_shares(results: Iterable[PhotoResult]) -> dict[int, float]:
    """Per cent of all their masks' pixels, by label."""
    pixels: Counter[int] = Counter()
    for result in results:
        pixels.update(result.pixels)
    return defaultdict(float, {label: round(100 * count / pixels.total(), 2) for label, count in pixels.items()})


def check_mask(
    image_id: str, path: Path, size: tuple[int, ...] | None, num_labels: int
) -> tuple[StoredMask | None, list[Finding]]:
    """Read a label map and check its palette, size and values.

    Args:
        image_id: whose it is.
        path: the file.
        size: height and width of its photo, if known.
        num_labels: labels that it may hold, besides 255.

    Returns:
        The label map, None if it cannot be read, and the problems.
    """
    try:
        mask = read_stored_mask(path)
    except UserError as error:
        return None, [from_error("colour" if "8-bit grey" in str(error) else "damaged", image_id, error)]
    faults = label_faults(mask.labels, num_labels, size)
    if wrong := mask.wrong_colours():
        faults["palette"] = f"the palette's colour of {wrong[0]} is not VOC's, so the indices may not be labels"
    return mask, [Finding(kind, image_id, str(path), fault, REMEDIES[kind]) for kind, fault in faults.items()]


def compare_tags(
    image_id: str, path: Path, tags: tuple[int, ...], pixels: dict[int, int], class_names: tuple[str, ...]
) -> list[Finding]:
    """Notes on classes that are tagged and have no pixel, or the other way round (VOC itself has such photos)."""
    classes = {label - 1 for label in pixels if 0 < label <= len(class_names)}
    findings = []
    if surplus := sorted(classes - set(tags)):
        what = f"shows what is not tagged: {', '.join(class_names[k] for k in surplus)}"
        findings.append(Finding("tags", image_id, str(path), what, "add the tag, unless it was left out on purpose"))
    if absent := sorted(set(tags) - classes):
        what = f"does not show what is tagged: {', '.join(class_names[k] for k in absent)}"
        findings.append(Finding("tags", image_id, str(path), what, "take the tag away, unless its pixels are 255"))
    return findings
