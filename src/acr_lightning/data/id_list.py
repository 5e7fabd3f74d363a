"""Lists of image ids: one id a line."""

import os
from importlib import resources
from pathlib import Path

from acr_lightning.artefacts.item_path import id_fault
from acr_lightning.artefacts.text_file import read_text
from acr_lightning.errors import UserError, shown


def read_ids(path: Path) -> list[str]:
    """Read a list of ids, one a line; blank lines are passed over.

    Raises:
        UserError: the list is missing, empty or not UTF-8, names an id twice, or holds what is no id.
    """
    if not (os.path.isfile(path) if isinstance(path, Path) else path.is_file()):
        raise UserError(f"{path}: no such list of ids (one id a line)")
    lines = {number: line.strip() for number, line in enumerate(read_text(path).split("\n"), start=1)}
    first_lines: dict[str, int] = {}
    for number, image_id in lines.items():
        if not image_id:
            continue
        if fault := id_fault(image_id):
            raise UserError(f"{path}: line {number}: {shown(image_id)} is no id, it {fault}")
        if (first := first_lines.setdefault(image_id, number)) != number:
            raise UserError(f"{path}: line {number}: id '{image_id}' is listed twice, first in line {first}")
    if not first_lines:
        raise UserError(f"{path}: the list of ids is empty")
    return list(first_lines)


def list_path(name: str) -> Path:
    """Where a list of ids lies: in the working folder, or beside the shipped configs."""
    return Path(name) if os.path.isfile(name) else shipped(name)


def shipped(name: str) -> Path:
    """Where a file that ships beside the configs lies (it need not exist)."""
    return Path(str(resources.files("acr_lightning.configs"))) / name
