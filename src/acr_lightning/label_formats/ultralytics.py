"""Ultralytics' folders: photos by split, `data.yaml`, and for its semantic segmentation the label maps as they are."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml
from PIL import Image

from acr_lightning.label_formats.label_map import LabelMap


def write_semantic(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `images/`, `masks/` (8-bit grey: 0 background, 1..K, 255 ignored) and `data.yaml`."""
    for one in maps:
        copy_photo(one, folder)
        path = folder / "masks" / one.split / f"{one.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one.labels).save(path)
    write_data_yaml(folder, ["background", *class_names], masks_dir="masks")


def copy_photo(one: LabelMap, folder: Path) -> None:
    """Copy a photo to `images/<split>/`."""
    path = folder / "images" / one.split / one.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(one.photo, path)


def write_data_yaml(folder: Path, names: Sequence[str], **more: str) -> None:
    """Write `data.yaml`; where one of the splits is empty, the other stands for it."""
    splits = [f"images/{split}" for split in ("train", "val") if (folder / "images" / split).is_dir()]
    content = {"train": splits[0], "val": splits[-1], "names": dict(enumerate(names)), **more}
    (folder / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
