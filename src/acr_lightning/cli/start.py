"""Commands of `acr` that a command of `acr` starts, each in a process of its own."""

import importlib
import sys
from collections.abc import Callable
from functools import partial

from acr_lightning.cli.main import main
from acr_lightning.system.processes import Fork, run_program, wait_for

# What most stages import, in many seconds; none of it touches a device.
HEAVY = ("acr_lightning.chain.trainer_section", "acr_lightning.data.datamodule", "acr_lightning.nets.backbone")

_only_imported = False


def way_to_start() -> Callable[[list[str]], int]:
    """A function from a command's words to its exit status (see `processes.wait_for`).

    Where it can be, the libraries are imported once, here, and each command is a copy of this process.
    """
    global _only_imported
    # A process that has used torch may have threads, which a copy lacks; outside Linux a copy is not safe.
    if not _only_imported and ("torch" in sys.modules or sys.platform != "linux"):
        return lambda words: run_program([sys.executable, "-P", "-m", "acr_lightning", *words])
    for module in HEAVY:
        importlib.import_module(module)
    _only_imported = True
    return lambda words: wait_for(Fork(partial(_as_typed, words)))


def _as_typed(words: list[str]) -> int:
    sys.argv[1:] = words  # Lightning starts the same command for each further device
    return main()
