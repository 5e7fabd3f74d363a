"""What stages have written."""

from acr_lightning.artefacts.file_digests import FileDigests
from acr_lightning.classes.class_names import build
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError


def photos_of(node):
    """What the manifest of a stage says of its photos: by what they are told apart, and their digest."""
    photos = {"splits": ["train"], "tags": True, "masks": False}
    try:
        dataset = build(node, "dataset", TaggedDataset)
    except (UserError, TypeError, AttributeError):
        return {"photos": photos, "inputs": {}}
    return {"photos": photos, "inputs": {"dataset": dataset.fingerprint(FileDigests(None).of, **photos)}}


def contents(folder, pattern="*"):
    """The bytes of each file of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}
