"""Checking sections before anything is moved, started or waited for.

`check` reads names and types from sources, so it answers at once; `check_thoroughly` imports the classes, and so knows
of which kind they are, how many devices there are and, if asked to, whether networks can be built.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.artefacts.manifest import CHECKPOINT, has_another_checkpoint, is_done, read
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.messages import with_hint
from acr_lightning.chain.signature import REQUIRED, Argument, Signature, signature_of, signature_of_function
from acr_lightning.chain.stage import SECTION_KEYS, Section, Stage
from acr_lightning.errors import UserError, nearest

TRAINER = "lightning.pytorch.Trainer"
# Arguments that come from the data set, not from the section.
LINKED = ("num_classes",)
ANY = Argument(Any, None, "")


def check(experiment: Experiment, names: Iterable[str], to_come: Collection[Path] = ()) -> None:
    """Check every key and value of these stages' sections, what is known of sizes, and that each will find its input.

    Args:
        experiment: with the sections.
        names: of the stages.
        to_come: folders of other runs' stages that will be done by then.

    Raises:
        UserError: it names the key, or the stage that is missing.
    """
    names = list(names)
    for name in names:
        stage, section = experiment.chain.stages[name], experiment.section(name)
        values = check_section(stage, section)
        devices = section["trainer"].get("devices") if stage.function is None else None
        if stage.check and stage.function is not None:
            stage.check(values, 1)
        elif stage.check and isinstance(devices, int) and devices > 0:
            stage.check(values, devices * section["trainer"].get("num_nodes", 1))
        check_inputs(experiment, name, names, to_come)


def check_thoroughly(experiment: Experiment, names: Iterable[str], build: bool = False) -> None:
    """The same with the classes themselves.

    Args:
        experiment: with the sections.
        names: of the stages.
        build: also build the networks that need no result of another stage.

    Raises:
        UserError: it names the key.
    """
    check(experiment, names)
    for name in names:
        stage = experiment.chain.stages[name]
        if stage.function is not None:
            continue
        from acr_lightning.chain import trainer_section

        section = experiment.section(name)
        trainer_section.check_kinds(section, name)
        if stage.check:
            stage.check(check_section(stage, section), trainer_section.count_devices(section["trainer"], name))
        waits = any(key.startswith("model.") for key in experiment.sources(name))
        trainer_section.TrainerCLI(section, parse_only=not build or waits, name=name)


def check_inputs(experiment: Experiment, name: str, before: Iterable[str] = (), to_come: Collection[Path] = ()) -> None:
    """Check that what a stage needs is done, or will be by the stages `before` it or in the folders `to_come`.

    Raises:
        UserError: it names the stage to run first.
    """
    stage = experiment.chain.stages[name]
    for needed in experiment.sources(name).values():
        folder = experiment.folder(needed)
        if needed in (*before, *stage.also_reads) or folder in to_come or is_done(folder):
            continue
        if (made := read(folder)) and made.get("status") == "done" and has_another_checkpoint(folder, made):
            raise UserError(
                f"{name}: {folder / CHECKPOINT} is not the one that the stage {needed} ended with; put that back, or "
                f"run `acr {needed}` with the same --config to go on from what is there"
            )
        raise UserError(
            f"{name}: needs the stage {needed}, which is not done in {folder.parent}; "
            f"run `acr {needed}` with the same --config, or `acr run`"
        )


def check_section(stage: Stage, section: Section) -> Section:
    """Check the keys and values of a section.

    Returns:
        The values of each part, those that the section leaves out among them.

    Raises:
        UserError: a key or a class does not exist, is missing, or a value does not fit.
    """
    if stage.function is not None:
        return check_values(section, signature_of_function(stage.function), stage.name)
    _check_names(section, Signature({key: ANY for key in SECTION_KEYS}, False, ""), stage.name)
    return {
        part: check_values(
            section_values(section, part), signature_of_part(section, part, stage.name), f"{stage.name}.{part}"
        )
        for part in SECTION_KEYS[1:]
    }


def signature_of_part(section: Section, part: str, name: str) -> Signature:
    """What `model`, `data` or `trainer` of a section takes."""
    return signature_of(TRAINER if part == "trainer" else section[part]["class_path"], f"{name}.{part}")


def section_values(section: Section, part: str) -> Section:
    """The arguments that a section has for its `model`, `data` or `trainer`."""
    values: Section = section[part] if part == "trainer" else section[part].get("init_args") or {}
    return values


def check_values(values: Section, signature: Signature, where: str) -> Section:
    """Check the arguments of a class or function, and of every class that they name, at any depth.

    Returns:
        All arguments in their types, classes as they are written, defaults for those that are not given.
    """
    if not signature.takes_any:
        _check_names(values, signature, where)
    parser = ArgumentParser(exit_on_error=False)
    typed, groups = {}, {}
    for key, argument in signature.arguments.items():
        if key not in values and argument.default is REQUIRED and key not in LINKED:
            raise UserError(f"{where}.{key}: is missing")
        if key not in values:
            continue
        if argument.group and values[key] is not None:
            groups[key] = _check_group(values[key], argument.group, f"{where}.{key}")
        elif _check_nodes(values[key], f"{where}.{key}", argument.called):
            groups[key] = values[key]
        else:
            parser.add_argument(f"--{key}", type=argument.type)
            typed[key] = values[key]
    try:
        parsed = parser.parse_object(typed).as_dict()
    except ArgumentError as error:
        types = {key: argument.type for key, argument in signature.arguments.items()}
        raise UserError(f"{where}.{with_hint(error, types, values)}") from None
    defaults = {key: argument.default for key, argument in signature.arguments.items()}
    return {
        **{key: default for key, default in defaults.items() if key not in values and default is not REQUIRED},
        **parsed,
        **groups,
    }


def _check_group(value: Any, group: Signature, where: str) -> Section:
    if not isinstance(value, dict):
        raise UserError(f"{where}: is a group of values; set {', '.join(f'{where}.{key}' for key in group.arguments)}")
    return check_values(value, group, where)


def check_node(node: Section, where: str, called: bool = False) -> Section:
    """Check the arguments of a class that is named by `class_path`; all of them, as from `check_values`.

    Args:
        node: `class_path` and `init_args`.
        where: its key, for messages.
        called: the class gets its first argument from elsewhere.
    """
    signature = signature_of(node["class_path"], where)
    return check_values(node.get("init_args") or {}, signature.without_first() if called else signature, where)


def _check_nodes(value: Any, where: str, called: bool = False) -> bool:
    """Check the classes named in a value; whether there are any."""
    if isinstance(value, list):
        return any([_check_nodes(item, f"{where}[{index}]") for index, item in enumerate(value)])
    if isinstance(value, dict) and "class_path" in value:
        check_node(value, where, called)
        return True
    return False


def _check_names(values: Collection[str], signature: Signature, where: str) -> None:
    known = list(signature.arguments)
    for key in values:
        if key not in known:
            hint = nearest(key, known) or (f" Known: {', '.join(known)}" if len(known) < 8 else "")
            raise UserError(f"{where}.{key}: no such key.{hint}")
