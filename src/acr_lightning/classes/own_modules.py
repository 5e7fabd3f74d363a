"""Modules of the working folder: those of the classes that an experiment names, and what these import there.

No other import looks into the working folder. Libraries try packages that are not installed (torch: `opt_einsum`), and
with the folder on `sys.path` they would run whatever has that name in it.
"""

import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from acr_lightning.classes.module_source import reached, search_folder

# The folder of each top package, for processes that this one starts: they are handed objects of these classes.
VARIABLE = "ACR_OWN_MODULES"


class _OwnModules(MetaPathFinder):
    """Asked when nothing else has found a module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = json.loads(os.environ.get(VARIABLE, "{}")).get(fullname) if path is None else None
        return PathFinder.find_spec(fullname, [folder]) if folder else None


def admit(module: str) -> None:
    """Let a module be imported from the working folder, with what it imports there, if it is found nowhere else."""
    if not all(part.isidentifier() for part in module.split(".")) or search_folder(module) is not None:
        return
    folder = Path.cwd()
    tops = {name.partition(".")[0] for name in reached(folder, module)}
    folders = {top: str(folder) for top in tops if search_folder(top) is None}
    if folders:
        os.environ[VARIABLE] = json.dumps(json.loads(os.environ.get(VARIABLE, "{}")) | folders)


def is_own(module: str) -> bool:
    """Whether a module's top package was admitted from the working folder."""
    return module.partition(".")[0] in json.loads(os.environ.get(VARIABLE, "{}"))


def install() -> None:
    """Let Python find admitted modules, here and in every process that inherits this one's environment."""
    sys.meta_path.append(_OwnModules())
