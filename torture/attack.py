"""A hostile file, and who reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RAN = "ran"  # the file that an executed attack leaves in its folder, or beside it
CLASSES = (
    "os.system", "subprocess.Popen", "subprocess.run", "stranger.Data", "acr_lightning.cli.processes.subprocess.run",
    "acr_lightning.cli.main.importlib.import_module", "acr_lightning_stranger.Data", "acr_lightning..stranger.Data",
    ".stranger.Data", "os.system\n", "builtins.exec", "acr_lightning.cli.processes.run_program", "pickle.loads", "",
)  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """One hostile file and who reads it.

    Attributes:
        name: what it is.
        plant: puts the file into a trial's folder.
        words: the command.
        work: what is done instead of a command.
    """

    name: str
    plant: Callable[[Path], Any]
    words: tuple[str, ...]
    work: Callable[[Path], int] | None = None


def node(class_path: str) -> dict[str, Any]:
    """A class by name, with arguments that would have it run a command."""
    return {"class_path": class_path, "init_args": {"command": f"touch {RAN}", "args": f"touch {RAN}"}}
