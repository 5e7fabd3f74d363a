"""Checking sections before anything is moved, started or waited for.

`check` reads names from sources, so it answers at once; `check_thoroughly` imports the classes, and so knows all types
and defaults, which class is of which kind, how many devices there are and, if asked to, whether networks can be built.
"""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.artefacts.manifest import CHECKPOINT, has_another_checkpoint, is_done, read
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.function_section import check_function
from acr_lightning.chain.messages import readable
from acr_lightning.chain.stage import Section
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.class_names import import_class
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError, nearest

TRAINER = "lightning.pytorch.Trainer"


def check(experiment: Experiment, names: Iterable[str], to_come: Collection[Path] = ()) -> None:
    """Check the data set, the names of all keys and classes of these stages' sections, and that each finds its input.

    Args:
        experiment: with the sections.
        names: of the stages.
        to_come: folders of other runs' stages that will be done by then.

    Raises:
        UserError: it names the key, or the stage that is missing.
    """
    names = list(names)
    if experiment.values.get("dataset") is not None:
        check_node(experiment.dataset_node(), "dataset", TaggedDataset)  # made to see whether stages are done
    for name in names:
        _check_section(experiment, name)
        check_inputs(experiment, name, names, to_come)


def check_thoroughly(
    experiment: Experiment, names: Iterable[str], to_come: Collection[Path] = (), build: bool = False
) -> None:
    """The same with every value, by the classes themselves, and with what is known of sizes.

    Args:
        experiment: with the sections.
        names: of the stages.
        to_come: folders of other runs' stages that will be done by then.
        build: also build the networks that need no result of another stage.

    Raises:
        UserError: it names the key.
    """
    check(experiment, names, to_come)
    for name in names:
        stage, section = experiment.chain.stages[name], experiment.section(name)
        if stage.function is not None:
            continue
        from acr_lightning.chain import trainer_section

        devices = trainer_section.count_devices(section["trainer"], name)
        waits = any(key.startswith("model.") for key in experiment.sources(name))
        values = trainer_section.TrainerCLI(section, parse_only=not build or waits, name=name).values()
        if stage.check:
            stage.check(name, values, devices)


def check_inputs(experiment: Experiment, name: str, before: Iterable[str] = (), to_come: Collection[Path] = ()) -> None:
    """Check that what a stage needs is done, or will be by the stages `before` it or in the folders `to_come`.

    Raises:
        UserError: it names the stage to run first.
    """
    stage = experiment.chain.stages[name]
    for source in experiment.sources(name).values():
        folder = experiment.folder(source)
        if source in (*before, *stage.also_reads) or folder in to_come or is_done(folder):
            continue
        if (manifest := read(folder)) and manifest.get("status") == "done" and has_another_checkpoint(folder, manifest):
            raise UserError(
                f"{name}: {folder / CHECKPOINT} is not the one that the stage {source} ended with; put that back, or "
                f"run `acr {source}` with the same --config to go on from what is there"
            )
        raise UserError(
            f"{name}: needs the stage {source}, which is not done in {folder.parent}; "
            f"run `acr {source}` with the same --config, or `acr run`"
        )


def _check_section(experiment: Experiment, name: str) -> None:
    """Check the names in a section; of a stage that is a function, which imports nothing heavy, all values."""
    stage, section = experiment.chain.stages[name], experiment.section(name)
    _check_names(section, stage.keys, name)
    node, names = section, stage.keys
    if stage.function is None:
        _check_names(section["trainer"], argument_names(TRAINER, name).names, f"{name}.trainer")
        data = section["data"]
        node, names = data.get("init_args") or {}, argument_names(data["class_path"], f"{name}.data").names
    _check_classes(section, name)
    if "dataset" in names and "dataset" not in node:
        experiment.dataset_node()  # says what is missing
    if stage.function is not None:
        values = check_function(stage.function, section)
        if stage.check:
            stage.check(name, values, 1)


def _check_classes(value: Any, where: str) -> None:
    """Check the argument names of every class that a value names, at any depth."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check_classes(item, f"{where}[{index}]")
    elif isinstance(value, dict):
        groups: Mapping[str, Collection[str]] = {}
        if isinstance(class_path := value.get("class_path"), str):
            value, arguments = value.get("init_args") or {}, argument_names(class_path, where)
            if not arguments.takes_any:
                _check_names(value, arguments.names, where)
            groups = arguments.groups
        for key, item in value.items():
            if key in groups and item is not None and not (isinstance(item, dict) and "class_path" in item):
                _check_group(item, groups[key], f"{where}.{key}")
            _check_classes(item, f"{where}.{key}")


def _check_group(value: Any, fields: Collection[str], where: str) -> None:
    if not isinstance(value, dict):
        raise UserError(f"{where}: is a group of values; set {', '.join(f'{where}.{name}' for name in fields)}")
    _check_names(value, fields, where)


def _check_names(values: Collection[str], known: Collection[str], where: str) -> None:
    for key in values:
        if key not in known:
            hint = nearest(key, known) or (f" Known: {', '.join(known)}" if len(known) < 8 else "")
            raise UserError(f"{where}.{key}: no such key.{hint}")


def checked_dataset(experiment: Experiment) -> TaggedDataset:
    """An experiment's data set, whose values are checked first.

    Raises:
        UserError: the experiment names none, or a key or a value does not fit.
    """
    check_node(experiment.dataset_node(), "dataset", TaggedDataset)
    return experiment.dataset()


def check_node(node: Section, where: str, kind: type) -> None:
    """Check a class that is named by `class_path`, and its arguments.

    Args:
        node: `class_path` and `init_args`.
        where: its key, for messages.
        kind: what it must be a subclass of.

    Raises:
        UserError: it is of another kind, or a key or a value does not fit.
    """
    import_class(node["class_path"], where, kind)
    _check_classes(node, where)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(kind, where)
    try:
        parser.parse_object({where: node})
    except ArgumentError as error:
        raise UserError(readable(error)) from None
