"""Finding a misspelt key before anything runs, and naming the right one."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from acr_lightning.class_names import import_class
from acr_lightning.errors import UserError, nearest

# Keys that have another name now.
RENAMED = {
    "crf": "it is `refiner` now, with the same names",
    "crf_scale": "it is the dense CRF's own `scale` now: "
    "refiner: {class_path: DenseCrf, init_args: {preset: hard_label, scale: 0.5}}",
}


def check_keys(node: dict[str, Any], known: Iterable[str], where: str, moved: Mapping[str, str] | None = None) -> None:
    """Check a mapping's keys, and the arguments of every class that it names, at any depth.

    Args:
        node: part of a section.
        known: the keys that this mapping may have.
        where: the dotted path of the mapping, for the message.
        moved: keys of older files, and where their values stand now.

    Raises:
        UserError: a key or a class does not exist.
    """
    known = list(known)
    for key, value in node.items():
        if key in (moved or {}):
            raise UserError(f"{where}.{key}: is now {where}.{(moved or {})[key]}")
        if key not in known:
            raise UserError(f"{where}.{key}: {RENAMED.get(key) or f'no such key.{nearest(key, known)}'}")
        if key == "refiner":
            from acr_lightning.labels.refiner import build_refiner

            build_refiner(value, f"{where}.{key}")  # its names are no classes
        else:
            check_classes(value, f"{where}.{key}")


def check_classes(value: Any, where: str, base: type = object) -> None:
    """Check the arguments of the classes named in a value; the outermost must be a subclass of `base`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            check_classes(item, f"{where}[{index}]")
    elif isinstance(value, dict) and "class_path" in value:
        arguments, named = value.get("init_args") or {}, import_class(value["class_path"], where, base)
        check_keys(arguments, arguments_of(named, arguments), where, getattr(named, "moved", None))


def arguments_of(target: Any, given: Iterable[str] = ()) -> list[str]:
    """The names of a callable's arguments; whatever is `given` passes where it takes any keyword."""
    parameters = inspect.signature(target).parameters
    names = [name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    takes_any = len(names) < len(parameters)
    return [*names, *given] if takes_any else names
