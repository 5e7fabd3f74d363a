"""Making what a manifest describes: a run folder may come from anyone, so a name is judged before it is imported."""

from collections.abc import Collection
from typing import Any

from acr_lightning.classes.class_names import class_and_arguments, full_path
from acr_lightning.errors import UserError

OWN_PACKAGE = "acr_lightning"


def build_foreign(node: Any, where: str, base: type, packages: Collection[str] = ()) -> Any:
    """Make what a file from elsewhere describes, if it is of the expected kind and of an allowed package.

    Args:
        node: should be `class_path` and `init_args`.
        where: the file and the key, for the message.
        base: what the class must be a subclass of.
        packages: allowed beside this package.

    Raises:
        UserError: the class is not allowed, or cannot be made with these arguments.
    """
    if not isinstance(node, dict) or not isinstance(node.get("class_path"), str):
        raise UserError(f"{where}: no class_path with init_args")
    if _names_a_class(node.get("init_args")):
        raise UserError(f"{where}: its init_args name a class, which a file from elsewhere may not")
    class_path, all_packages = node["class_path"], (OWN_PACKAGE, *packages)
    refusal = UserError(
        f"{where}: {class_path!r} is not made: a file from elsewhere may name a {base.__name__} of "
        f"{', '.join(all_packages)}; if you trust the code of another package, add --allow PACKAGE"
    )
    if not _is_of(full_path(class_path), all_packages):
        raise refusal
    class_object, arguments = class_and_arguments(node, where, base)
    if not _is_of(class_object.__module__, all_packages):  # an allowed module also holds what it imports from others
        raise refusal
    try:
        return class_object(**arguments)
    except UserError:
        raise
    except Exception as error:  # arguments that nobody has checked may raise anything
        raise UserError(f"{where}: {class_path!r} cannot be made ({error})") from None


def _is_of(path: str, packages: Collection[str]) -> bool:
    """Whether a dotted name is one of these packages, or lies in one."""
    is_name = all(part.isidentifier() for part in path.split("."))
    return is_name and any(f"{path}.".startswith(f"{package}.") for package in packages)


def _names_a_class(value: Any) -> bool:
    """Whether there is a `class_path` in a value, at any depth."""
    if isinstance(value, dict):
        return "class_path" in value or any(map(_names_a_class, value.values()))
    return isinstance(value, list) and any(map(_names_a_class, value))
