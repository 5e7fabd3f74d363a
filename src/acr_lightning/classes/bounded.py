"""Types of numbers with bounds: what is outside is refused wherever an experiment's values are checked."""

from typing import TYPE_CHECKING, Any

from acr_lightning.errors import UserError, shown

# Pixels; nothing of this size fits into memory, however the photo is read.
LARGEST_SIDE = 1 << 14
LARGEST_SCALE = 10.0

if TYPE_CHECKING:
    ClosedUnitInterval = float
    NonNegativeInt = int
    PositiveFloat = float
    PositiveInt = int
    Scale = float
    Seed = int
    Side = int
else:
    from jsonargparse.typing import (
        ClosedUnitInterval,
        NonNegativeInt,
        PositiveFloat,
        PositiveInt,
        restricted_number_type,
    )

    Scale = restricted_number_type("Scale", float, [(">", 0), ("<=", LARGEST_SCALE)])
    # What seeds NumPy, torch and Python alike.
    Seed = restricted_number_type("Seed", int, [(">=", 0), ("<", 1 << 32)])
    Side = restricted_number_type("Side", int, [(">", 0), ("<=", LARGEST_SIDE)])

__all__ = ["ClosedUnitInterval", "NonNegativeInt", "PositiveFloat", "PositiveInt", "Scale", "Seed", "Side"]

IN_WORDS = {
    "ClosedUnitInterval": "float in 0..1",
    "NonNegativeInt": "int, 0 or more",
    "PositiveFloat": "float above 0",
    "PositiveInt": "int above 0",
    "Scale": f"float above 0, {LARGEST_SCALE:g} at most",
    "Seed": "int, 0 to 4294967295",
    "Side": f"int, 1 to {LARGEST_SIDE}",
}


def require(name: str, value: Any, kind: type) -> None:
    """Check a value that no parser has seen: of a call from Python, or of what a run says of itself.

    Args:
        name: of the value, for the message.
        value: that is checked.
        kind: one of this module's types.

    Raises:
        UserError: it is out of bounds, or of another type.
    """
    try:
        if isinstance(value, str | bool):
            raise ValueError
        kind(value)
    except (ValueError, TypeError, OverflowError):
        raise UserError(f"{name}: expected {IN_WORDS[kind.__name__]}, not {shown(str(value))}") from None
