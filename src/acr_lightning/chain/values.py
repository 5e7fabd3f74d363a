"""Nested values of experiment files, in which `init_args` may be left out."""

import copy
from collections.abc import Iterator
from typing import Any

from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.class_names import full_path
from acr_lightning.errors import UserError, expect

CLASS_NODE = {"class_path", "init_args"}


def get_value(node: Any, keys: list[str]) -> Any:
    """The value at `a.b.c`, or None where there is none."""
    for key in keys:
        if isinstance(node, dict) and "class_path" in node and key not in CLASS_NODE:
            node = node.get("init_args") or {}
        if not isinstance(node, dict):
            return None
        node = node.get(key)
    return node


def set_value(node: dict[str, Any], keys: list[str], value: Any) -> None:
    """Set `a.b.c` in a nested mapping; `init_args` may be left out of the keys, and a class name sets `class_path`."""
    for key in keys[:-1]:
        node = _inside(node, key)
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    last = keys[-1]
    node = _inside(node, last)
    names_class = isinstance(value, str) and "." in full_path(value)
    if isinstance(node.get(last), dict) and "class_path" in node[last] and names_class:
        node[last] = {"class_path": value}
    else:
        node[last] = value


def _inside(node: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping that a key belongs to: of a class, its arguments."""
    if "class_path" in node and key not in CLASS_NODE:
        return node.setdefault("init_args", {})
    return node


def merge(base: dict[str, Any], values: dict[str, Any], where: str) -> None:
    """Put values over others, in place; another class inherits from the one before the networks that it takes, too.

    Raises:
        UserError: a class is written with some of its arguments beside `class_path`.
    """
    for key, value in copy.deepcopy(values).items():
        if not isinstance(base.get(key), dict) or not isinstance(value, dict):
            base[key] = value
        elif "class_path" in value and "class_path" not in base[key]:
            base[key] = value  # the arguments alone are those of another class
        elif "class_path" in base[key]:
            node = value if CLASS_NODE & value.keys() else {"init_args": value}
            if set(node) - CLASS_NODE:
                raise UserError(f"{where}.{key}: write either class_path and init_args, or the arguments alone")
            _merge_class(base[key], node, f"{where}.{key}")
        else:
            merge(base[key], value, f"{where}.{key}")


def _merge_class(base: dict[str, Any], node: dict[str, Any], where: str) -> None:
    path, base["init_args"] = full_path(node.get("class_path", base["class_path"])), base.get("init_args") or {}
    if path != full_path(base["class_path"]):
        base.update(class_path=path, init_args=_shared_parts(base["init_args"], path, where))
    merge(base["init_args"], node.get("init_args") or {}, f"{where}.init_args")


def _shared_parts(arguments: dict[str, Any], class_path: str, where: str) -> dict[str, Any]:
    """The arguments that are classes themselves, and that another class has, too: a method's classifier, say."""
    parts = {key: value for key, value in arguments.items() if isinstance(value, dict) and "class_path" in value}
    return {key: value for key, value in parts.items() if key in argument_names(class_path, where).names}


def data_arguments(section: dict[str, Any]) -> dict[str, Any]:
    """Where a section has its data set and its shard: among its own keys, or those of its `data`."""
    return section["data"].setdefault("init_args", {}) if "data" in section else section


def flat(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The values in a value by their dotted keys, as a user types them; those of a list by their numbers."""
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(item, key if name == "init_args" else f"{key}.{name}")
    else:
        yield key, value


def class_paths(value: Any) -> set[str]:
    """All classes that are named in a value, at any depth, as import paths."""
    return {full_path(name) for key, name in flat(value, "") if key.rpartition(".")[2] == "class_path"}


def with_full_names(value: Any, place: str) -> Any:
    """A copy of a value in which every `class_path` is an import path.

    Raises:
        UserError: what names a class is no name, or its arguments are no mapping.
    """
    if isinstance(value, list | tuple):
        return [with_full_names(item, f"{place}.{index}") for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    node = {key: with_full_names(item, f"{place}.{key}") for key, item in value.items()}
    arguments = node.get("init_args")
    expect(isinstance(arguments, dict | None), arguments, f"{place}.init_args", "arguments by name (a mapping)")
    if "class_path" not in node:
        return node
    path = node["class_path"]
    is_name = isinstance(path, str) and all(part.isidentifier() for part in path.split("."))
    expect(is_name, path, f"{place}.class_path", "the name of a class")
    return {**node, "class_path": full_path(path)}
