"""Label Studio's JSON: the choices for a photo are its tags. Its JSON-MIN is a list of records."""

from pathlib import Path
from typing import Any

from acr_lightning.data.images import SUFFIXES
from acr_lightning.data.tags.records import Records
from acr_lightning.data.tags.tagged_photo import tags_in
from acr_lightning.errors import UserError, shown


def from_label_studio(path: Path, content: Any) -> Records | None:
    """Records of tasks and what people chose for them; None where it is another form.

    Raises:
        UserError: two people chose differently.
    """
    if not isinstance(content, list) or not all(isinstance(task, dict) and "annotations" in task for task in content):
        return None
    records = []
    for number, task in enumerate(content, start=1):
        where = f"{path}: task {number}"
        ways = [_choices(one, where) for one in task["annotations"] or [] if not one.get("was_cancelled")]
        if any(way != ways[0] for way in ways):
            raise UserError(f"{where}: two annotations differ, of which one says {shown(str(ways[0]))}; keep one")
        photos = (one for one in task["data"].values() if isinstance(one, str) and one.lower().endswith(SUFFIXES))
        records.append({"image": next(photos, None), "tags": ways[0] if ways else []})
    return records


def _choices(annotation: dict[str, Any], where: str) -> list[str]:
    chosen = [one["value"] for one in annotation["result"] if one["type"] == "choices"]
    return sorted(tag for value in chosen for tag in tags_in(value, where, is_list=False))
