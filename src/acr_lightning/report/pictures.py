"""A row of pictures for each photo: CAM overlays, pseudo-label, prediction, mask."""

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
) -> list[Picture]:
    """What there is to show of one photo, in the chain's order, run by run.

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
    row = [Picture(f"photo {image_id}", _jpeg(image))]
    for run in runs:
        prefix, stages = f"{run.name}: " if len(runs) > 1 else "", stages_of(run)
        labels = {"network": predictions_of(run)}
        if not only_network:
            labels = {"pseudo-label": stages.get("label", run) / "labels", **labels}
            for stage, name in (
                (("cam", "CAM"), ("affinity_walk", "walked CAM")) if walked(stages) else (("cam", "CAM"),)
            ):
                if (path := item_path(stages.get(stage, run) / "cams", image_id, ".npz")).is_file():
                    make = partial(_cam_pictures, path, dataset, image, _threshold(stages), prefix + name)
                    row += notes.without(make, [])
        for title, folder in labels.items():
            if (path := item_path(folder, image_id, ".png")).is_file():
                row += notes.without(partial(_label_picture, path, image, prefix + title), [])
    mask = notes.without(partial(dataset.mask, image_id), None) if dataset.has_mask(image_id) else None
    return row if mask is None else [*row, Picture("mask (scoring only)", _jpeg(overlay(image, mask)))]


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


def _label_picture(path: Path, image: NDArray[np.uint8], title: str) -> list[Picture]:
    return [Picture(title, _jpeg(overlay(image, read_mask(path, size=image.shape[:2]))))]


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
