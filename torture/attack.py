"""A place that others can write to, what they would put there, and how one sees that it worked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torture.chain import SHAPES
from torture.commands import Outcome, Run

# What the names of all files begin with that a payload leaves, in its folder or beside it.
RAN = "torture-ran"
# Whether a payload worked, in a trial's folder: (folder, payload, how the command ended).
Effect = Callable[[Path, Any, Outcome], bool]
# What runs a command, if anybody makes it: the path of a class or function, and arguments that it takes.
STRANGER: dict[str, dict[str, Any]] = {
    "os.system": {"command": f"touch {RAN}"},
    "subprocess.Popen": {"args": ["touch", RAN]},
    "runpy.run_path": {"path_name": "stranger.py"},
    "stranger.Data": {},
    "subprocess.run": {"args": ["touch", RAN]},
    "acr_lightning.system.processes.run_program": {"words": ["touch", RAN]},
    "acr_lightning.system.processes.subprocess.run": {"args": ["touch", RAN]},
    "acr_lightning.cli.main.importlib.import_module": {"name": "stranger"},
    "acr_lightning_stranger.Data": {},
    "torture_stranger.Data": {},
    "acr_lightning..stranger.Data": {},
    ".stranger.Data": {},
    "os.system\n": {"command": f"touch {RAN}"},
    "": {},
}
# Files that leave a mark when they are imported.
MODULES = ("stranger", "acr_lightning_stranger", "torture_stranger")


def ran(folder: Path, payload: Any, outcome: Outcome) -> bool:
    """No other effect than a file of that name, which is looked for in any case."""
    return False


@dataclass(frozen=True)
class Attack:
    """One place, hostile payloads for it, and a harmless one.

    The harmless payload, the twin, is put into the same place and read by the same command. It has to work, or nobody
    reads the place; the hostile ones must not.

    Attributes:
        name: of the place.
        area: of the table that the attack counts in.
        plant: puts a payload into a trial's folder.
        run: the command that reads it.
        hostile: payloads by name.
        harmless: the twin's payload.
        worked: whether a hostile payload worked, beside leaving such a file anywhere.
        reached: whether the harmless one did; None asks `worked`, and for such a file.
    """

    name: str
    area: str
    plant: Callable[[Path, Any], Any]
    run: Run
    hostile: Mapping[str, Any]
    harmless: Any
    worked: Effect = ran
    reached: Effect | None = None


def node(class_path: str, **init_args: Any) -> dict[str, Any]:
    """A class by name."""
    return {"class_path": class_path, "init_args": init_args}


def strangers(count: int | None = None) -> dict[str, dict[str, Any]]:
    """The first so many classes that run a command, as payloads."""
    return {path: node(path, **arguments) for path, arguments in [*STRANGER.items()][:count]}


def plant_modules(folder: Path) -> None:
    """Put the modules of `STRANGER` into the working folder."""
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"from pathlib import Path\nPath({RAN!r}).touch()\n")


def own_data(root: str = "shapes") -> dict[str, Any]:
    """The harmless data set that leaves a mark."""
    return node("torture.harmless.Data", root=root, **SHAPES)
