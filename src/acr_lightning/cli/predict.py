"""`acr predict`: a trained network's masks for any pictures."""

import glob
import os
import sys
from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import network_of
from acr_lightning.artefacts.own_files import is_own, require_own
from acr_lightning.classes.bounded import Scale, Side
from acr_lightning.errors import UserError

# What the names of a picture's results end in: label map, overlay, probabilities.
RESULTS = (".png", "_overlay.jpg", ".npz")


def predict(
    *,
    run: str,
    images: str | list[str],
    output: str = "predictions",
    scales: list[Scale] | None = None,
    flip: bool | None = None,
    long_side: Side | None = None,
    refiner: str | dict[str, Any] | None = None,
    window: Side | None = None,
    overlay: bool = True,
    soft: bool = False,
    device: str = "auto",
) -> int:
    """Masks for any pictures, those that the run's own test would give them; exit status 1 when one cannot be read.

    Args:
        run: folder of a run whose stage `segment` is done.
        images: a picture, a folder (with its subfolders), a glob such as `photos/*.jpg`, or a list of these.
        output: folder of `<name>.png` (palette PNG: 0 background, 1..K) and `<name>_overlay.jpg`. What an earlier
            prediction wrote there is replaced, nothing else is.
        scales: factors of the base size; more are slower and better. null is as the run was tested, here and below.
        flip: whether mirror images are added.
        long_side: resize pictures to this long side first, pixels.
        refiner: what sharpens the scores: a dense CRF by name, `none`, or a class (see `acr label --help`).
        window: read pictures larger than this in overlapping windows of this side, pixels.
        overlay: also write the mask over the picture.
        soft: also write `<name>.npz` with `probabilities` `[K + 1, h, w]` before the refiner, 8 bits each (0..255).
        device: `cpu`, `cuda` or `cuda:1`; `auto` is the first GPU if there is one.
    """
    network_of(Path(run))  # before what takes seconds to import
    pictures = find_pictures([images] if isinstance(images, str) else images)
    ends = [end for end, is_written in zip(RESULTS, (True, overlay, soft), strict=True) if is_written]
    require_own(Path(output, f"{name}{end}") for name in pictures for end in ends)
    import io

    import cv2
    import numpy as np
    from rich.progress import track

    from acr_lightning.artefacts.item_path import item_path
    from acr_lightning.artefacts.own_files import write_own
    from acr_lightning.artefacts.palette import png_bytes
    from acr_lightning.data.images import read_image
    from acr_lightning.report.pictures import overlay as draw_overlay
    from acr_lightning.segment.predictor import Predictor

    predictor = Predictor(run, device, scales, flip, long_side, refiner, window)
    refusals = 0
    for name, path in track(pictures.items(), "predict"):
        try:
            mask_path, overlay_path, soft_path = (item_path(output, name, end) for end in RESULTS)
            picture = read_image(path)
        except UserError as error:
            print(f"acr predict: {error}", file=sys.stderr)
            refusals += 1
            continue
        labels, probabilities = predictor.predict(picture)
        write_own(mask_path, png_bytes(labels))
        if overlay:
            drawn = draw_overlay(picture, labels)[..., ::-1]
            write_own(overlay_path, cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, 90))[1].tobytes())
        if soft:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, probabilities=(probabilities * 255).round().astype(np.uint8))
            write_own(soft_path, buffer.getvalue())
    legend = ", ".join(f"{label} {name}" for label, name in enumerate(predictor.label_names))
    print(f"{len(pictures) - refusals} masks in {output} ({legend})" + (f"; {refusals} refused" if refusals else ""))
    return 1 if refusals else 0


def find_pictures(places: list[str]) -> dict[str, Path]:
    """Pictures by the name of their result: the path inside a folder, or the file's name, without its suffix.

    What earlier predictions wrote into a folder is no picture of it.

    Raises:
        UserError: there is no place, or one holds no picture, or two pictures would have one result.
    """
    from acr_lightning.data.images import SUFFIXES, photos_below

    if not places:
        raise UserError("--images: is empty; give a picture, a folder or a glob")
    pictures: dict[str, Path] = {}
    for place in places:
        is_folder = os.path.isdir(
            place
        )  # not Path.is_dir(), to which an empty name is a folder and a long one an error
        several = [*photos_below(Path(place))] if is_folder else [*map(Path, sorted(glob.glob(place)))]
        paths = [Path(place)] if os.path.isfile(place) else [path for path in several if not is_own(path)]
        if not paths:
            raise UserError(f"--images: {place}: no such picture, or none in it ({', '.join(SUFFIXES)})")
        for path in paths:
            name = path.relative_to(place).with_suffix("").as_posix() if is_folder else path.stem
            if name in pictures and pictures[name] != path:
                raise UserError(f"--images: {pictures[name]} and {path} would both become {name}.png; give them apart")
            pictures[name] = path
    return pictures
