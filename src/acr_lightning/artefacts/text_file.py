"""Text, JSON and YAML that people and other programs wrote."""

import json
from collections import Counter
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
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise UserError(f"{path}: damaged JSON (nested too deeply); {remedy}") from None
    except ValueError as error:  # also of a number with thousands of digits
        raise UserError(f"{path}: damaged JSON ({error}); {remedy}") from None


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
        ValueError: it is no YAML, has a key that is no text or stands twice in its mapping, or an alias that stands for
            itself or for more than anyone writes; the message names the line.
    """
    try:
        loader = yaml.SafeLoader(text)
        if (node := loader.get_single_node()) is None:
            return None
        _size(node, {})
        return _written_out(loader.construct_document(node))
    except _FaultError:
        raise
    except Exception as error:  # PyYAML lets out what its parts raise: ValueError, KeyError, RecursionError …
        raise ValueError(f"not YAML ({' '.join(str(error).split())})") from None


def _written_out(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _written_out(one) for key, one in value.items()}
    return [_written_out(one) for one in value] if isinstance(value, list) else value


class _FaultError(ValueError):
    """YAML that can be read, but not be meant."""

    def __init__(self, node: yaml.Node, fault: str) -> None:
        super().__init__(f"line {node.start_mark.line + 1}: {fault}")


def _size(node: yaml.Node, sizes: dict[yaml.Node, int | None]) -> int:
    """How many values a node stands for, aliases written out; every node is looked at once.

    Args:
        node: of the tree that the text was composed to.
        sizes: of the nodes that are done; None while a node's own parts are.

    Raises:
        _FaultError: see `parse_yaml`.
    """
    if node in sizes:
        if (earlier_size := sizes[node]) is None:
            raise _FaultError(node, "holds itself")
        return earlier_size
    sizes[node] = None
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        parts = node.value
    sizes[node] = size = 1 + sum(_size(part, sizes) for part in parts)
    if size > MOST_VALUES:
        raise _FaultError(node, f"stands for more than {MOST_VALUES:,} values")
    return size


def _check_keys(mapping: yaml.MappingNode) -> None:
    """Check that the keys of a mapping are text, each once; what `<<` merges into it may have them, too."""
    lines: dict[str, int] = {}
    for key, _ in mapping.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _FaultError(key, "a key is no text")
        if key.tag == MERGE:
            continue
        if key.tag != TEXT:
            raise _FaultError(key, f"the key {key.value} is no text; put it in quotes if it is meant")
        if key.value in lines:
            raise _FaultError(key, f"the key {shown(key.value)} stands in line {lines[key.value]}, too")
        lines[key.value] = key.start_mark.line + 1
