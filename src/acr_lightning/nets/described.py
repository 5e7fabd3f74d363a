"""Networks that say how they were made, so that a checkpoint is all it takes to make them again."""

import inspect
from typing import Any, Self

from torch import nn

# Where weights came from at first; a checkpoint brings its own.
SOURCE = "weights"


class Described(nn.Module):
    """A module that remembers the arguments it was made with; its subclasses do nothing for it.

    Attributes:
        arguments: of the constructor, by name, defaults included. To be described they must be plain values (numbers,
            texts, lists), or described modules themselves.
        learned: the checkpoint that its weights are from, and the names of the classes they are for, if it has them.
    """

    arguments: dict[str, Any]
    learned: tuple[str, list[str]] | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:  # noqa: D102
        self = super().__new__(cls)
        call = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
        call.apply_defaults()
        _, *rest = call.arguments.items()
        self.__dict__["arguments"] = dict(rest)  # nn.Module is not ready for attributes yet
        return self

    def again(self) -> Self:
        """A new module made in the same way, from the same source of weights."""
        arguments = {
            name: value.again() if isinstance(value, Described) else value for name, value in self.arguments.items()
        }
        return type(self)(**arguments)

    def description(self) -> dict[str, Any]:
        """`class_path` and `init_args` that make this module, without weights."""
        init_args = {
            name: value.description() if isinstance(value, Described) else _plain(value)
            for name, value in self.arguments.items()
            if name != SOURCE
        }
        return {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": init_args}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
