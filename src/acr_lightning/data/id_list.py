"""Lists of image ids: one id a line."""

from importlib import resources
from pathlib import Path

from acr_lightning.errors import UserError


def read_ids(path: Path) -> list[str]:
    """Read a list of ids, one a line; blank lines are passed over.

    Raises:
        UserError: the list is missing, empty, or names an id twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such list of ids (one id a line)")
    ids = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not ids:
        raise UserError(f"{path}: the list of ids is empty")
    seen: set[str] = set()
    for number, image_id in enumerate(ids, start=1):
        if image_id in seen:
            raise UserError(f"{path}: id '{image_id}' (entry {number}) is listed twice")
        seen.add(image_id)
    return ids


def list_path(name: str) -> Path:
    """Where a list of ids lies: in the working folder, or beside the shipped configs."""
    return Path(name) if Path(name).is_file() else shipped(name)


def shipped(name: str) -> Path:
    """Where a file that ships beside the configs lies (it need not exist)."""
    return Path(str(resources.files("acr_lightning.configs"))) / name
