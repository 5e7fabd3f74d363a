"""Every command that a document names is one that there is, with these options and keys."""

import functools
import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest

from acr_lightning.chain.check import check
from acr_lightning.chain.experiment_file import find, load
from acr_lightning.cli.call import call
from acr_lightning.cli.main import COMMANDS
from acr_lightning.cli.run import stage_experiment
from acr_lightning.errors import UserError
from acr_lightning.stages.chain import CHAIN

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()
# Experiments that a reader has or writes, by one that is shipped and takes the same values.
LAUNCHERS = ("srun", "torchrun")
READERS = {"photos.yaml": "tag_folder.yaml", "parts.yaml": "tag_folder.yaml", "FILE": "voc.yaml"}


def commands_in_blocks(text):
    """The lines of the code blocks, each with those that belong to it."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        command = ""
        for line in block.splitlines():
            command += line.removesuffix("\\")
            if line.endswith("\\"):
                continue
            try:
                words = shlex.split(command, comments=True)
            except ValueError:  # a quotation that the next line closes
                command += " "
                continue
            command = ""
            yield words


def commands_in_prose(text):
    """What stands between backticks in the text, on one line or across two."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`]+)`", text):
        if span.startswith(("acr ", "make ")):
            yield shlex.split(span, comments=True)


def commands(program):
    """Each command of a program once: its words without the first, whether it is whole, and where it stands."""
    found = {}
    for document in DOCUMENTS:
        text = document.read_text()
        for whole, source in ((True, commands_in_blocks), (False, commands_in_prose)):
            for words in source(text):
                if program in words and words[0] in LAUNCHERS:
                    words = words[words.index(program) :]
                if words[:1] == [program]:
                    found.setdefault((tuple(words[1:]), whole), document.name)
    assert found
    return [
        pytest.param(words, whole, id=f"{document}: {program} {' '.join(words)}")
        for (words, whole), document in found.items()
    ]


@pytest.mark.parametrize(("words", "whole"), commands("acr"))
def test_a_command_of_acr_parses(words, whole, monkeypatch):
    """One in the prose may leave out what it needs, and is then only known; no engine is used, or need be installed."""
    monkeypatch.setattr("acr_lightning.chain.experiment_file.use_engine", lambda engine: None)
    if words == ("--help",):
        return
    two = " ".join(words[:2])
    command, rest = (two, words[2:]) if two in COMMANDS else (words[0], words[1:])
    assert command in COMMANDS
    module, _, function = COMMANDS[command][0].rpartition(".")
    handler = getattr(importlib.import_module(f"acr_lightning.{module}"), function)
    asked = {}

    @functools.wraps(handler)
    def without_doing_it(*_, **options):
        asked.update(options)
        return 0

    try:
        call(without_doing_it, command, [*rest], (command,) if function == "stage" else ())
    except UserError as error:
        if whole or not re.search("is missing|^missing a required", str(error)):
            raise
    check_values(command, asked, inspect.signature(handler).parameters)


def check_values(command, asked, options):
    """The experiment is there, and the stages that values are given for have such keys."""
    if not (config := READERS.get(asked.get("config"), asked.get("config"))):
        return
    find(config)
    values = {key: value for key, value in asked.items() if key not in options}
    if command in CHAIN.stages:
        experiment, changed = stage_experiment(command, config, values), {command}
    elif command == "run":
        experiment, changed = load(CHAIN, config, values), {key.partition(".")[0] for key in values}
    else:
        return
    check(experiment, changed & {*experiment.stages}, to_come=[*map(experiment.folder, CHAIN.stages)])


@pytest.mark.parametrize(("words", "whole"), commands("make"))
def test_a_target_of_make_is_there(words, whole):
    named = [word for word in words if "=" not in word]
    targets = [target.replace("%", r"[\w-]+") for target in re.findall(r"^([\w%-]+):", MAKEFILE, re.MULTILINE)]
    assert not [word for word in named if not any(re.fullmatch(target, word) for target in targets)]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    assert not [name for name in given if not re.search(rf"^{name} *\??=", MAKEFILE, re.MULTILINE)]
    if plan := given.get("PLAN"):
        find(f"plans/{plan}.yaml")


@pytest.mark.parametrize(("words", "whole"), commands("python"))
def test_a_script_is_there(words, whole):
    assert (ROOT / words[0]).is_file()
