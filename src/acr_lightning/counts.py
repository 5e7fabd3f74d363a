"""Types of arguments that count something: what is too small is refused wherever an experiment's values are checked."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    PositiveInt = int
    NonNegativeInt = int
else:
    from jsonargparse.typing import NonNegativeInt, PositiveInt

__all__ = ["NonNegativeInt", "PositiveInt"]
