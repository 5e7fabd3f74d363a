"""Rows of pictures for each photo, one a run: CAM overlays, pseudo-label, prediction, mask."""

import base64
import colorsys
import io
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.item_path import item_path
from acr_lightning.artefacts.manifest import part, read, stages_of
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.report.notes import Notes
from acr_lightning.report.run_scores import Stages, walked
from acr_lightning.report.score_files import is_number

WIDTH = 200
# The stages of CAMs by what their pictures are called, all kinds of pictures, and what is said of one without a class.
CAMS = {"CAM": "cam", "walked CAM": "affinity_walk"}
KINDS = (*CAMS, "pseudo-label", "network")
EMPTY = " (all background)"
# The golden angle, in turns: hues of any number of classes stay apart.
STEP_OF_HUE = 0.381966


class Picture(NamedTuple):
    """A titled picture; `source` is a data URI."""

    title: str
    source: str


def predictions_of(run: Path) -> Path:
    """The folder of the network's predictions."""
    return stages_of(run).get("evaluate", run / "evaluate") / "predictions"


def pictures(
    image_id: str, dataset: TaggedDataset, runs: list[Path], notes: Notes, only_network: bool = False
) -> list[list[Picture | None]]:
    """What there is to show of one photo: a line a run, in columns in the chain's order, None where a run has nothing.

    Args:
        image_id: the photo.
        dataset: its photos, and its masks if it has any.
        runs: whose results are shown.
        notes: says what cannot be read.
        only_network: leave out CAMs and pseudo-labels.
    """
    image = notes.without(partial(dataset.image, image_id), None)
    if image is None:
        return []
    no_pictures: list[Picture] = []
    columns: dict[str, list[Picture | None]] = {}
    columns["photo"] = [Picture(f"photo {image_id}", _jpeg(image)), *[None] * (len(runs) - 1)]
    for kind in ("network",) if only_network else KINDS:
        for at, run in enumerate(runs):
            for picture in notes.without(partial(_of_kind, kind, run, image_id, image, dataset), no_pictures):
                prefix = f"{run.name}: " if len(runs) > 1 else ""
                column = columns.setdefault(picture.title.partition(EMPTY)[0], [None] * len(runs))
                column[at] = picture._replace(title=prefix + picture.title)
    mask = notes.without(partial(dataset.mask, image_id), None) if dataset.has_mask(image_id) else None
    if mask is not None:
        columns["mask"] = [Picture("mask (scoring only)", _jpeg(overlay(image, mask))), *[None] * (len(runs) - 1)]
    return [list(line) for line in zip(*columns.values(), strict=True)]


def _of_kind(kind: str, run: Path, image_id: str, image: NDArray[np.uint8], dataset: TaggedDataset) -> list[Picture]:
    """The pictures of one of `KINDS`; none where the run has no such file of the photo."""
    stages = stages_of(run)
    if stage := CAMS.get(kind):
        path = item_path(stages.get(stage, run) / "cams", image_id, ".npz")
        is_there = path.is_file() and (stage == "cam" or walked(stages))
        return _cam_pictures(path, dataset, image, _threshold(stages), kind) if is_there else []
    folder = predictions_of(run) if kind == "network" else stages.get("label", run) / "labels"
    path = item_path(folder, image_id, ".png")
    return [_label_picture(path, image, kind)] if path.is_file() else []


def _cam_pictures(
    path: Path, dataset: TaggedDataset, image: NDArray[np.uint8], threshold: float, title: str
) -> list[Picture]:
    cam = read_cam(path, dataset.num_classes, image.shape[:2])
    row = [
        Picture(f"{title} {dataset.class_names[label]}", _jpeg(heat(image, scores)))
        for label, scores in zip(cam.classes, cam.scores, strict=True)
    ]
    constant = threshold if cam.background is None else None
    labels = pseudo_label(image, cam.classes, cam.scores, constant, background=cam.background)
    return [*row, Picture(f"{title}, thresholded", _jpeg(overlay(image, labels)))]


def _label_picture(path: Path, image: NDArray[np.uint8], title: str) -> Picture:
    labels = read_mask(path, size=image.shape[:2])
    return Picture(title if labels.any() else title + EMPTY, _jpeg(overlay(image, labels)))


def last_monitor(run: Path) -> str | None:
    """The last picture of what the reconstructor paints, as a data URI; None where there is none."""
    paths = sorted((stages_of(run).get("fit", run) / "monitor").glob("epoch_*.jpg"))
    return _data_uri(paths[-1].read_bytes()) if paths else None


def heat(image: NDArray[np.uint8], scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A CAM `[H, W]` in `[0, 1]` over its photo `[H, W, 3]`."""
    colours = colormaps["jet"](scores)[..., :3] * 255
    return (0.5 * image + 0.5 * colours).astype(np.uint8)


def overlay(image: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A label map `[H, W]` in class colours over its photo; 255 is white, background stays as it is."""
    share = np.where(labels == 0, 0.0, 0.65)[..., None]
    return ((1 - share) * image + share * class_colours()[labels]).astype(np.uint8)


def class_colours() -> NDArray[np.uint8]:
    """Bright colours for the eye, `[256, 3]`: unlike the palette of label files they never come near grey or black."""
    turns = (np.arange(256) * STEP_OF_HUE) % 1.0
    colours = [colorsys.hsv_to_rgb(hue, 0.95 - 0.35 * (at % 3 == 2), 1.0) for at, hue in enumerate(turns)]
    colour_table = np.rint(np.array(colours) * 255).astype(np.uint8)
    colour_table[IGNORE] = 255
    return colour_table


def colour(label: int) -> str:
    """The colour of a label, `#rrggbb`."""
    return "#" + class_colours()[label].tobytes().hex()


def _threshold(stages: Stages) -> float:
    """The threshold that the labels were made with; 0.5 where there is none."""
    threshold = part(read(stages["label"]) if "label" in stages else None, "counts").get("threshold")
    return float(threshold) if isinstance(threshold, int | float) and is_number(threshold) else 0.5


def _jpeg(image: NDArray[np.uint8]) -> str:
    """A data URI of the picture at the page's width."""
    height = max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    enlarge = Image.Resampling.NEAREST if image.shape[1] < WIDTH else Image.Resampling.LANCZOS
    buffer = io.BytesIO()
    Image.fromarray(image).resize((WIDTH, height), enlarge).save(buffer, "JPEG", quality=82)
    return _data_uri(buffer.getvalue())


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
