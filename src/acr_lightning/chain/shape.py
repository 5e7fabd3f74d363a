"""The shape of an experiment's values, before anything else looks into them."""

from collections.abc import Iterable
from typing import Any

from acr_lightning.chain.stage import SECTION_KEYS
from acr_lightning.errors import UserError, shown

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


def check_seed(value: Any, where: str) -> None:
    """Check a seed.

    Raises:
        UserError: it is no whole number in 0..2^32 - 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        raise UserError(f"{where}: expected a whole number in 0..{MOST_SEED}, got {shown(str(value))}")


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
        if not isinstance(values.get(key), kinds):
            raise UserError(f"{where}: {key}: expected {words}, got {shown(str(values[key]))}")
    for key in ("from", "stages"):
        names = values.get(key) or ()
        if not all(isinstance(one, str) for one in (names.values() if isinstance(names, dict) else names)):
            raise UserError(f"{where}: {key}: expected {TOP[key][1]}, got {shown(str(names))}")
    for place in (values, *(values.get(key) or {} for key in sections)):
        if "seed" in place:
            check_seed(place["seed"], f"{where}: seed")
    for key in sections:
        for part in SECTION_KEYS[1:]:
            if not isinstance((values.get(key) or {}).get(part, {}), dict):
                raise UserError(f"{where}: {key}.{part}: expected a mapping, got {shown(str(values[key][part]))}")
    _check_nodes(values, where)


def _check_nodes(value: Any, where: str, key: str = "") -> None:
    """Check what names a class, at any depth."""
    for name, one in value.items() if isinstance(value, dict) else enumerate(value):
        place = f"{key}.{name}" if key else str(name)
        kinds, words = KINDS.get(str(name), ((object,), ""))
        if not isinstance(one, kinds):
            raise UserError(f"{where}: {place}: expected {words}, got {shown(str(one))}")
        if name == "class_path" and not all(part.isidentifier() for part in str(one).split(".")):
            raise UserError(f"{where}: {place}: {shown(str(one))} is no name of a class")
        if isinstance(one, dict | list):
            _check_nodes(one, where, place)
