"""`acr predict`: a trained network's masks for any pictures."""

import glob
import sys
from pathlib import Path

from acr_lightning.errors import UserError


def predict(
    *,
    run: str,
    images: str | list[str],
    output: str = "predictions",
    scales: list[float] = [1.0],  # noqa: B006  jsonargparse copies it
    flip: bool = True,
    long_side: int | None = None,
    overlay: bool = True,
    soft: bool = False,
    device: str = "cpu",
) -> int:
    """Masks for any pictures; the exit status is 1 when one could not be read.

    Args:
        run: folder of a run whose stage `segment` is done.
        images: a picture, a folder (with its subfolders), a glob such as `photos/*.jpg`, or a list of these.
        output: folder of `<name>.png` (palette PNG: 0 background, 1..K) and `<name>_overlay.jpg`.
        scales: factors of the base size; more are slower and better.
        flip: whether mirror images are added.
        long_side: resize pictures to this long side first, pixels; null takes what the run was tested with.
        overlay: also write the mask over the picture.
        soft: also write `<name>.npz` with `probabilities` `[K + 1, h, w]`, 8 bits each (0..255).
        device: `cpu`, `cuda` or `cuda:1`.
    """
    import io

    import numpy as np
    from PIL import Image
    from rich.progress import track

    from acr_lightning.artefacts.atomic import atomic_write
    from acr_lightning.artefacts.palette import write_mask
    from acr_lightning.data.images import read_image
    from acr_lightning.report.pictures import overlay as draw_overlay
    from acr_lightning.segment.predictor import Predictor

    pictures = find_pictures([images] if isinstance(images, str) else images)
    predictor = Predictor(run, device, scales, flip, long_side)
    refused = 0
    for name, path in track(pictures.items(), "predict"):
        try:
            picture = read_image(path)
        except UserError as error:
            print(f"acr predict: {error}", file=sys.stderr)
            refused += 1
            continue
        labels, probabilities = predictor.predict(picture)
        write_mask(Path(output) / f"{name}.png", labels)
        if overlay:
            with atomic_write(Path(output) / f"{name}_overlay.jpg") as file:
                Image.fromarray(draw_overlay(picture, labels)).save(file, "JPEG", quality=90)
        if soft:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, probabilities=(probabilities * 255).round().astype(np.uint8))
            with atomic_write(Path(output) / f"{name}.npz") as file:
                file.write(buffer.getvalue())
    legend = ", ".join(f"{label} {name}" for label, name in enumerate(predictor.label_names))
    print(f"{len(pictures) - refused} masks in {output} ({legend})" + (f"; {refused} refused" if refused else ""))
    return 1 if refused else 0


def find_pictures(places: list[str]) -> dict[str, Path]:
    """Pictures by the name of their result: the path inside a folder, or the file's name, without its suffix.

    Raises:
        UserError: a place holds no picture, or two pictures would have one result.
    """
    from acr_lightning.data.images import SUFFIXES

    found: dict[str, Path] = {}
    for place in places:
        root = Path(place)
        if root.is_dir():
            paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)
        else:
            root, paths = Path(), [root] if root.is_file() else [Path(path) for path in sorted(glob.glob(place))]
        if not paths:
            raise UserError(f"--images: {place}: no such picture, or none in it ({', '.join(SUFFIXES)})")
        for path in paths:
            name = path.relative_to(root).with_suffix("").as_posix() if root != Path() else path.stem
            if name in found and found[name] != path:
                raise UserError(f"--images: {found[name]} and {path} would both become {name}.png; give them apart")
            found[name] = path
    return found
