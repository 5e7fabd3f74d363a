"""What a report has to do without."""

import logging
from collections.abc import Callable
from typing import TypeVar

from acr_lightning.errors import UserError

log = logging.getLogger(__name__)
Part = TypeVar("Part")


class Notes(list[str]):
    """What could not be read, one line each: the page says so, and so does the log."""

    def append(self, note: str) -> None:
        """Add a line, once."""
        if note not in self:
            super().append(note)
            log.warning("%s", note)

    def without(self, make: Callable[[], Part], instead: Part) -> Part:
        """What `make` gives, or `instead` with a note where it raises a `UserError`."""
        try:
            return make()
        except UserError as error:
            self.append(str(error))
            return instead
