"""CVAT's "Segmentation mask 1.1": a zip of palette PNGs, the names of colours, and a list of photos."""

import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from acr_lightning.artefacts.palette import IGNORE, png_bytes, voc_palette
from acr_lightning.errors import UserError, shown
from acr_lightning.label_formats.label_map import LabelMap


def write_cvat(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `masks.zip`. A colour without a name is an error there, so 255 becomes background.

    Raises:
        UserError: a class has a colon in its name, which ends a name there.
    """
    if wrong := next((name for name in class_names if ":" in name), None):
        raise UserError(f"class {shown(wrong)}: CVAT's format takes no colon in a name; choose another format")
    colours = (",".join(map(str, colour)) for colour in voc_palette().tolist())
    legend = (f"{name}:{colour}::\n" for name, colour in zip(["background", *class_names], colours, strict=False))
    names = []
    with zipfile.ZipFile(folder / "masks.zip", "w") as file:
        file.writestr("labelmap.txt", "# label:color_rgb:parts:actions\n" + "".join(legend))
        for one in maps:
            names.append(one.name)
            labels = np.where(one.labels == IGNORE, 0, one.labels).astype(np.uint8)
            file.writestr(f"SegmentationClass/{one.name}.png", png_bytes(labels))
        file.writestr("ImageSets/Segmentation/default.txt", "".join(f"{name}\n" for name in names))
