"""Types of numbers with bounds: what is outside is refused wherever an experiment's values are checked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    ClosedUnitInterval = float
    NonNegativeInt = int
    PositiveFloat = float
    PositiveInt = int
else:
    from jsonargparse.typing import ClosedUnitInterval, NonNegativeInt, PositiveFloat, PositiveInt

__all__ = ["ClosedUnitInterval", "NonNegativeInt", "PositiveFloat", "PositiveInt"]
