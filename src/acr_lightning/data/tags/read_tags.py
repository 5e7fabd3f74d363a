"""A tags file by its content, whatever it is called."""

from pathlib import Path

from acr_lightning.artefacts.text_file import read_json, read_json_lines
from acr_lightning.data.tags.coco import from_coco
from acr_lightning.data.tags.csv_file import read_csv
from acr_lightning.data.tags.cvat import read_cvat
from acr_lightning.data.tags.fiftyone import from_fiftyone
from acr_lightning.data.tags.label_studio import from_label_studio
from acr_lightning.data.tags.records import from_object, read_records
from acr_lightning.data.tags.tagged_photo import Tags
from acr_lightning.errors import UserError, shown

SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".xml")
# JSON of so many bytes may take a few gigabytes of memory.
MOST_BYTES = 100_000_000
# In this order: the last takes any object that is left.
JSON_FORMS = {"COCO": from_coco, "FiftyOne": from_fiftyone, "Label Studio": from_label_studio, "JSON": from_object}


def read_tags(path: Path) -> Tags:
    """Read a tags file (see `TagFolder` for its forms), in its order.

    Raises:
        UserError: it is missing, damaged or too large, has none of the forms, names no photo, or names one twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such tags file; set dataset.tags (CSV, JSON or XML, see `TagFolder`)")
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path}: holds more than {MOST_BYTES:,} bytes; keep the photos that are here, or split it")
    tags = _read(path)
    if not tags.lines:
        raise UserError(f"{path}: names no photo")
    photos: set[str] = set()
    for line in tags.lines:
        if line.photo in photos:
            raise UserError(f"{line.where} names photo {shown(line.photo)} again")
        photos.add(line.photo)
    return tags


def _read(path: Path) -> Tags:
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return read_records(path, "JSON lines", read_json_lines(path), "line")
    if suffix != ".json":
        return read_cvat(path) if suffix == ".xml" else read_csv(path)
    content = read_json(path)
    for form, convert in JSON_FORMS.items():
        try:
            records = convert(path, content)
        except (AttributeError, KeyError, TypeError) as error:  # what a tool writes, but with other parts
            raise UserError(f"{path}: not as {form} writes it ({shown(str(error))})") from None
        if records is not None:
            return read_records(path, form, records, "entry")
    return read_records(path, "JSON", content, "entry")
