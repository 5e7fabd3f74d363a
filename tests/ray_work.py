"""What workers of a cluster do in tests; importing it is cheap."""

import os
import signal

from acr_lightning.errors import UserError


def is_first(marker):
    """Whether this is the first call of all processes with this file."""
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class Deadly:
    """A refiner that lets its process be killed once."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __call__(self, image, probabilities):
        if is_first(self.marker):
            os.kill(os.getpid(), signal.SIGKILL)
        return probabilities


def halved(item):
    """Half of a number, or what happens with this one."""
    number, marker = item
    if number == 3:
        raise UserError("3 is odd")
    if number == 5:
        raise OSError(28, "no space")
    if number == 7 or (number == 8 and is_first(marker)):
        os.kill(os.getpid(), signal.SIGKILL)
    return number / 2
