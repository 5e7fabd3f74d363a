"""The names of a class's arguments, read from sources: a misspelt one is found before anything heavy is imported."""

import ast
import inspect
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from acr_lightning.classes.class_names import full_path, import_class
from acr_lightning.classes.module_source import module_file
from acr_lightning.classes.own_modules import admit


class ArgumentNames(NamedTuple):
    """What a class takes.

    Attributes:
        names: of its arguments, with those that it hands on to its base class.
        takes_any: whether it takes any other argument as well.
        groups: the fields of arguments that are dataclasses.
    """

    names: tuple[str, ...]
    takes_any: bool = False
    groups: Mapping[str, tuple[str, ...]] = {}


class _UnknownError(Exception):
    """The source does not tell."""


@lru_cache
def argument_names(class_path: str, where: str) -> ArgumentNames:
    """The names of a class's arguments; it is imported only where its source does not tell them.

    Args:
        class_path: short name or import path.
        where: the key that names it, for the message.

    Raises:
        UserError: there is no such class.
    """
    module, _, name = full_path(class_path).rpartition(".")
    try:
        return _of_class(*_definition(module, name))
    except _UnknownError:
        parameters = inspect.signature(import_class(class_path, where, object)).parameters.values()
    kinds = {one.kind for one in parameters}
    names = (one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL))
    return ArgumentNames((*names,), inspect.Parameter.VAR_KEYWORD in kinds)


def _of_class(module: str, node: ast.ClassDef) -> ArgumentNames:
    """The arguments of a class's `__init__`, or of its nearest base's.

    Raises:
        _UnknownError: a decorator makes it, or a base class is not found.
    """
    init = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if init is None:
        if node.decorator_list:
            raise _UnknownError
        return _of_bases(module, node)
    arguments = [*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs][1:]
    names = {one.arg: None for one in arguments}
    groups = {one.arg: fields for one in arguments if one.annotation and (fields := _fields(module, one.annotation))}
    if not _hands_on(init):
        return ArgumentNames((*names,), init.args.kwarg is not None, groups)
    above = _of_bases(module, node)
    return ArgumentNames((*(names | dict.fromkeys(above.names)),), above.takes_any, {**above.groups, **groups})


def _fields(module: str, annotation: ast.expr) -> tuple[str, ...]:
    """The fields of the dataclass that an annotation names; none where it names another type."""
    for name in (one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)):
        with suppress(_UnknownError):
            _, node = _definition(module, name)
            if any("dataclass" in ast.unparse(one) for one in node.decorator_list):
                return tuple(ast.unparse(one.target) for one in node.body if isinstance(one, ast.AnnAssign))
    return ()


def _of_bases(module: str, node: ast.ClassDef) -> ArgumentNames:
    for base in node.bases:
        if not isinstance(base, ast.Name):
            raise _UnknownError
        if base.id != "object" and (above := _of_class(*_definition(module, base.id))) != ArgumentNames(()):
            return above
    return ArgumentNames(())


def _hands_on(init: ast.FunctionDef) -> bool:
    """Whether an `__init__` calls `super().__init__(…, **kwargs)`."""
    return init.args.kwarg is not None and any(
        isinstance(call, ast.Call)
        and ast.unparse(call.func) == "super().__init__"
        and any(one.arg is None for one in call.keywords)
        for call in ast.walk(init)
    )


@lru_cache
def _definitions(module: str) -> dict[str, ast.ClassDef | tuple[str, str]]:
    """The classes of a module, and where it imports other names from: module and name. It is not imported.

    Raises:
        _UnknownError: its source is not found.
    """
    admit(module)
    if (path := module_file(module)) is None:
        raise _UnknownError
    definitions: dict[str, ast.ClassDef | tuple[str, str]] = {}
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ClassDef):
            definitions.setdefault(node.name, node)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                definitions.setdefault(alias.asname or alias.name, (node.module, alias.name))
    return definitions


def _definition(module: str, name: str) -> tuple[str, ast.ClassDef]:
    """Where a class is defined, following imports: the module, and the class.

    Raises:
        _UnknownError: it is not found.
    """
    definition = _definitions(module).get(name)
    if definition is None:
        raise _UnknownError
    return (module, definition) if isinstance(definition, ast.ClassDef) else _definition(*definition)
