"""JSON as a list of records, `{"image": "1.jpg", "tags": ["dog"]}`, which other forms are brought to."""

from pathlib import Path
from typing import Any

from acr_lightning.data.tags.tagged_photo import Tags, fields_of, tags_in
from acr_lightning.errors import UserError, shown

Records = list[dict[str, Any]]


def read_records(path: Path, form: str, records: Any, unit: str) -> Tags:
    """Photos and their tags.

    Args:
        path: the file, for messages.
        form: what the records come from.
        records: a list of objects with a field of the photo and one of its tags.
        unit: what an object is called in messages.

    Raises:
        UserError: it is no such list.
    """
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UserError(f'{path}: expected an object like {{"photo.jpg": ["dog", "person"]}}, or a list of objects')
    names = list(dict.fromkeys(name for record in records for name in record))
    fields = fields_of(names, str(path))
    if records and None in fields[:2]:
        raise UserError(
            f'{path}: expected objects like {{"image": "photo.jpg", "tags": ["dog"]}}; their fields are '
            f"{', '.join(map(shown, names[:9])) or 'none'}"
        )
    lines = []
    for number, record in enumerate(records, start=1):
        where = f"{path}: {unit} {number}"
        lines.append(fields.line(record, tags_in(record.get(fields.tags or ""), where, fields.is_list), where))
    return Tags(form if fields.tags in (None, "tags") else f"{form}, tags in {shown(fields.tags)}", lines)


def from_object(path: Path, content: Any) -> Records | None:
    """Records of an object of photos with lists of tags; None where it is no object."""
    if not isinstance(content, dict):
        return None
    if not all(isinstance(tags, list) for tags in content.values()):
        raise UserError(f'{path}: expected an object like {{"photo.jpg": ["dog", "person"]}}')
    return [{"image": photo, "tags": tags} for photo, tags in content.items()]
