"""Text, JSON and YAML that people and other programs wrote."""

import itertools
import json
from collections import Counter
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.errors import UserError, shown

# What a YAML file may hold once its aliases are written out; an experiment has hundreds of values.
MOST_VALUES = 100_000
TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


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
    return _parse_json(read_text(path), str(path), remedy)


def read_json_lines(path: Path) -> list[Any]:
    """A file with a JSON value on each line; blank lines are passed over.

    Raises:
        UserError: it cannot be read, or a line is no JSON.
    """
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [_parse_json(line, f"{path}: line {number}", "mend it") for number, line in lines if line.strip()]


def _parse_json(text: str, where: str, remedy: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise UserError(f"{where}: damaged JSON (nested too deeply); {remedy}") from None
    except ValueError as error:  # also of a number with thousands of digits
        raise UserError(f"{where}: damaged JSON ({error}); {remedy}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, of which any other reader would keep the last value of a key that stands there twice."""
    values = dict(pairs)
    if len(values) < len(pairs):
        [(key, _)] = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"{shown(key)} stands there twice")
    return values


def read_yaml(path: Path) -> Any:
    """A YAML file.

    Raises:
        UserError: it cannot be read, is no YAML, or holds what cannot be meant (see `parse_yaml`).
    """
    text = read_text(path)
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def parse_yaml(text: str) -> Any:
    """What a YAML text says; each alias is a value of its own, so that changing one changes no other.

    Raises:
        ValueError: it is no YAML, has a key that is no text or stands twice in its mapping (its line is named), or has
            aliases that stand for more than anyone writes.
    """
    try:
        return _written_out(_Loader(text).get_single_data(), itertools.count(1))
    except _FaultError:
        raise
    except Exception as error:  # PyYAML lets out what its parts raise: ValueError, KeyError, RecursionError …
        raise ValueError(f"not YAML ({' '.join(str(error).split())})") from None


def _written_out(value: Any, values: Iterator[int]) -> Any:
    """A copy without anything that stands in two places; `values` counts its parts."""
    if next(values) > MOST_VALUES:
        raise _FaultError(f"stands for more than {MOST_VALUES:,} values")
    if isinstance(value, dict):
        return {key: _written_out(one, values) for key, one in value.items()}
    return [_written_out(one, values) for one in value] if isinstance(value, list) else value


class _FaultError(ValueError):
    """YAML that can be read, but not be meant."""


class _Loader(yaml.SafeLoader):
    """PyYAML's, for which a key may be anything and stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Check the keys, and only then merge what `<<` names, which may have them, too: `deep` keeps that order."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _FaultError(f"line {line}: a key is no text")
            if key.tag == MERGE:
                continue
            if key.tag != TEXT or not key.value.isprintable():
                raise _FaultError(
                    f"line {line}: the key {shown(key.value)} is no text in a line; put it in quotes if it is"
                )
            if key.value in lines:
                raise _FaultError(f"line {line}: the key {shown(key.value)} stands in line {lines[key.value]}, too")
            lines[key.value] = line
        return super().construct_mapping(node, deep=True)
