"""A folder as Hugging Face's `imagefolder` reads it: columns `image`, `mask` and `classes`."""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from acr_lightning.label_formats.label_map import LabelMap


def write_hugging_face(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `<split>/metadata.jsonl` with photos and masks (8-bit grey, 255 unknown), and `id2label.json`."""
    for one in maps:
        paths = {"file_name": f"images/{one.file_name}", "mask_file_name": f"masks/{one.name}.png"}
        photo, mask = (folder / one.split / path for path in paths.values())
        for path in (photo, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one.photo, photo)
        Image.fromarray(one.labels).save(mask)
        classes = [name for _, name, _ in one.regions(class_names)]
        with (folder / one.split / "metadata.jsonl").open("a") as file:
            file.write(json.dumps({**paths, "classes": classes}) + "\n")
    (folder / "id2label.json").write_text(json.dumps(dict(enumerate(["background", *class_names])), indent=2))
