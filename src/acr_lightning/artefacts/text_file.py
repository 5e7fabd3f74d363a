"""Text, JSON and YAML that people and other programs wrote."""

import json
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.errors import UserError


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises:
        UserError: it cannot be read, or is not UTF-8; the line is named.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}: line {line} is not UTF-8 text ({error.reason}); save the file as UTF-8") from None


def read_json(path: Path, remedy: str = "mend it") -> Any:
    """A JSON file.

    Args:
        path: the file.
        remedy: what to do with a damaged one, for the message.

    Raises:
        UserError: it cannot be read, or is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError:
        raise UserError(f"{path}: damaged JSON (nested too deeply); {remedy}") from None
    except ValueError as error:  # also of a number with thousands of digits
        raise UserError(f"{path}: damaged JSON ({error}); {remedy}") from None


def read_yaml(path: Path) -> Any:
    """A YAML file.

    Raises:
        UserError: it cannot be read, or is no YAML.
    """
    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except Exception as error:  # PyYAML lets out what its parts raise: ValueError, KeyError, RecursionError …
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
