"""The shape of an experiment's values, before anything else looks into them."""

from collections.abc import Iterable
from typing import Any

from acr_lightning.chain.stage import SECTION_KEYS
from acr_lightning.errors import UserError, expect, shown

# Keys whose kind is known, wherever they stand: what they are, and in words.
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "class_path": ((str,), "the name of a class"),
    "init_args": ((dict, type(None)), "arguments by name (a mapping)"),
}
TOP: dict[str, tuple[tuple[type, ...], str]] = {
    "run": ((str, type(None)), "a folder"),
    "dataset": ((dict, type(None)), "class_path and init_args"),
    "from": ((dict, type(None)), "stages with their runs (a mapping)"),
    "stages": ((str, list, type(None)), "names of stages"),
}
# What seeds NumPy, torch and Python alike.
MOST_SEED = 2**32 - 1


def check_shape(values: dict[str, Any], sections: Iterable[str], where: str) -> None:
    """Check that there is a mapping where one is read, and a name where a class is named.

    Args:
        values: of an experiment.
        sections: its keys that are sections of a stage with model, data and trainer.
        where: the file, for messages.

    Raises:
        UserError: something is of another kind.
    """
    for key, (kinds, words) in TOP.items():
        value = values.get(key)
        names = [*value.values()] if key == "from" and isinstance(value, dict) else value
        are_names = not isinstance(names, list) or all(isinstance(name, str) for name in names)
        expect(isinstance(value, kinds) and are_names, value, f"{where}: {key}", words)
    nodes = {key: values.get(key) or {} for key in sections}
    for node in (values, *nodes.values()):
        seed = node.get("seed", 0)
        fits = type(seed) is int and 0 <= seed <= MOST_SEED
        expect(fits, seed, f"{where}: seed", f"a whole number in 0..{MOST_SEED}")
    for key, node in nodes.items():
        for part in SECTION_KEYS[1:]:
            expect(isinstance(node.get(part, {}), dict), node.get(part), f"{where}: {key}.{part}", "a mapping")
    _check_nodes(values, where)


def _check_nodes(value: Any, where: str, key: str = "") -> None:
    """Check what names a class, at any depth."""
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        place = f"{key}.{name}" if key else str(name)
        kinds, words = KINDS.get(str(name), ((object,), ""))
        expect(isinstance(one, kinds), one, f"{where}: {place}", words)
        if name == "class_path" and not all(part.isidentifier() for part in one.split(".")):
            raise UserError(f"{where}: {place}: {shown(one)} is no name of a class")
        if isinstance(one, dict | list):
            _check_nodes(one, where, place)
