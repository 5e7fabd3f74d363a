"""Files in the folder that a command is started in, named like packages that libraries try to import."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from torture.attack import RAN, Attack, own_data
from torture.chain import experiment
from torture.commands import Outcome, Run, program
from torture.tally import RUNS
from torture.whole import CHAIN

# What torch, torchvision and what these import look for and do without.
LOOKED_FOR = ("opt_einsum", "pynvml", "tabulate", "accimage", "defusedxml")
# Each leaves a mark of its own when it is imported; torch calls the function.
TEXT = "open('{mark}', 'w').close()\ndef tabulate(*values, **more): return ''\n"
LURES = {name: TEXT.format(mark=f"{RAN}-{name}") for name in LOOKED_FOR}
OWN_CLASS = f"from acr_lightning.data.shapes import Shapes\nopen({RAN!r}, 'w').close()\nclass Data(Shapes): pass\n"
# Its presence says that the folder is on Python's path by its user's will.
TRUSTED = "trusted"


def working_folder() -> Iterator[Attack]:
    """Somebody's run as the working folder; the twin is a folder that its user puts on Python's path."""
    commands = {
        "acr report": ("report", "."),
        "acr predict": ("predict", "--run", ".", "--images", "../pictures", "--output", "../masks"),
    }
    for name, words in commands.items():
        yield Attack(
            f"the working folder of {name}", RUNS, _plant_in_run, _in_run(words),
            {"names of packages": LURES}, {**LURES, TRUSTED: ""}, reached=_all_ran,
        )  # fmt: skip

    def plant(folder: Path, modules: Mapping[str, str]) -> None:
        _write(folder, modules)
        own = {**own_data(), "class_path": "own_of_torture.Data"}
        (folder / "chain.yaml").write_text(yaml.safe_dump({**experiment(), "dataset": own}))

    # A class of the experiment's is found there, and nothing else.
    yield Attack(
        "the working folder of acr data check", RUNS, plant, program("data", "check", *CHAIN),
        {"names of packages": {**LURES, "own_of_torture": OWN_CLASS.replace(RAN, "imported")}},
        {"own_of_torture": OWN_CLASS},
    )  # fmt: skip


def _write(folder: Path, modules: Mapping[str, str]) -> None:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def _plant_in_run(folder: Path, modules: Mapping[str, str]) -> None:
    _write(folder / "run", modules)


def _in_run(words: tuple[str, ...]) -> Run:
    """A command in the folder of the run."""

    def run(folder: Path, log: Path) -> Outcome:
        there = folder / "run"
        trusted = {"PYTHONPATH": str(there)} if (there / f"{TRUSTED}.py").exists() else {}
        return program(*words, **trusted)(there, log)

    return run


def _all_ran(folder: Path, payload: Any, outcome: Outcome) -> bool:
    return all((folder / "run" / f"{RAN}-{name}").exists() for name in LOOKED_FOR)
