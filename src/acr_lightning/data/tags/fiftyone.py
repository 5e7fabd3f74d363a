"""FiftyOne's `labels.json` of its image classification format: photos without suffix, labels by number or by name."""

from pathlib import Path
from typing import Any

from acr_lightning.data.tags.records import Records
from acr_lightning.errors import UserError, shown


def from_fiftyone(path: Path, content: Any) -> Records | None:
    """Records of photos and their labels; None where it is another form; raises UserError for an unknown number."""
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict) or "classes" not in content:
        return None
    names = dict(enumerate(content["classes"] or []))
    records = []
    for photo, labels in content["labels"].items():
        tags = []
        for label in labels if isinstance(labels, list) else [labels] * (labels is not None):
            name = label["label"] if isinstance(label, dict) and "label" in label else label
            tags.append(names.get(name) if isinstance(name, int) else name)
        if None in tags:
            raise UserError(f"{path}: label of {shown(photo)}: {shown(str(labels))} is none of {len(names)} classes")
        records.append({"image": photo, "tags": tags})
    return records
