"""Label Studio's JSON: tasks with brush strokes as predictions, in its own run lengths, which are not COCO's."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from acr_lightning.label_formats.label_map import LabelMap

# Lengths of runs are written in as many bits as they need of these.
BITS = (3, 4, 8, 16)
CHANNELS = 4


def write_label_studio(maps: Iterable[LabelMap], class_names: Sequence[str], folder: Path) -> None:
    """Write `tasks.json`, photos as local files by their paths, and `label_config.xml`, the project's interface."""
    tasks = []
    for one in maps:
        height, width = one.labels.shape
        results = [
            {
                "id": f"label{label}",
                "type": "brushlabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"format": "rle", "rle": run_lengths(region), "brushlabels": [name]},
                **one.score(label, region),
            }
            for label, name, region in one.regions(class_names)
        ]
        scores: list[Any] = [result["score"] for result in results if "score" in result]
        prediction = {"result": results, **({"score": min(scores)} if scores else {})}
        address = f"/data/local-files/?d={quote(one.file_name)}"
        tasks.append({"data": {"image": address}, "predictions": [prediction]})
    (folder / "tasks.json").write_text(json.dumps(tasks))
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in class_names)
    (folder / "label_config.xml").write_text(
        '<View>\n  <Image name="image" value="$image"/>\n  <BrushLabels name="label" toName="image">\n'
        f"{labels}  </BrushLabels>\n</View>\n",
        encoding="utf-8",
    )


def run_lengths(region: NDArray[np.bool_]) -> list[int]:
    """A region `[H, W]` in Label Studio's encoding of an RGBA picture, as bytes.

    A head: the number of values (32 bits), the bits of a value and of each of four lengths, less one (5 and 4 bits);
    then runs: 1, which length, the run's length less one, the value.
    """
    values = np.repeat(region.ravel(), CHANNELS)
    bits = [f"{values.size:032b}", f"{8 - 1:05b}", *(f"{size - 1:04b}" for size in BITS)]
    starts = np.flatnonzero(np.diff(values, prepend=~values[:1]))
    for start, length in zip(starts, np.diff(starts, append=values.size), strict=True):
        for left in range(int(length), 0, -(1 << BITS[-1])):
            run = min(left, 1 << BITS[-1]) - 1
            size = next(at for at, size in enumerate(BITS) if run < 1 << size)
            bits.append(f"1{size:02b}{run:0{BITS[size]}b}{255 * int(values[start]):08b}")
    text = "".join(bits)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0")).tolist()
