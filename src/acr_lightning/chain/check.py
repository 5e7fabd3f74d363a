"""Checking sections before anything is moved, started or waited for.

Names are read from sources, so a misspelt one is told at once; a thorough check imports the classes, and so knows all
types and defaults, which class is of which kind and, if asked to, whether networks can be built.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from acr_lightning.artefacts.manifest import classes_of, is_done, require_classes
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.messages import parsed, parser_of
from acr_lightning.chain.stage import Section
from acr_lightning.chain.values import data_arguments
from acr_lightning.classes.argument_names import argument_names
from acr_lightning.classes.class_names import import_class
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError, nearest

TRAINER = "lightning.pytorch.Trainer"


def check(
    experiment: Experiment,
    names: Collection[str],
    to_come: Collection[Path] = (),
    thorough: bool = False,
    build: bool = False,
) -> None:
    """Check the data set, the names of all keys and classes of these stages' sections, and that each finds its input.

    Args:
        experiment: with the sections.
        names: of the stages.
        to_come: folders of other runs' stages that will be done by then.
        thorough: check every value, too, by the classes themselves; those of a stage that is a function always are.
        build: also build the networks that need no result of another stage.

    Raises:
        UserError: it names the key, or the stage that is missing.
    """
    if experiment.values.get("dataset") is not None:
        check_node(experiment.dataset_node(), "dataset", TaggedDataset)  # made to see whether stages are done
    for name in names:
        stage, section = experiment.chain.stages[name], experiment.section(name)
        _check_section_names(experiment, name, section)
        _check_inputs(experiment, name, names, to_come)
        if stage.function is not None:
            values = parsed(parser_of(stage.function), section, f"{name}.").as_dict()
        elif thorough:
            from acr_lightning.chain import trainer_section

            values = trainer_section.typed_values(section, name)
        else:
            continue
        if stage.check:
            stage.check(name, values)
        waits = any(key.startswith("model.") for key in experiment.sources(name))
        if build and stage.function is None and not waits:
            trainer_section.build(section, name)


def _check_inputs(experiment: Experiment, name: str, names: Collection[str], to_come: Collection[Path]) -> None:
    """Check that what a stage needs is done, of its classes, or will be by these stages or in the folders `to_come`."""
    stage = experiment.chain.stages[name]
    for source in filter(experiment.takes_part, (*experiment.sources(name).values(), *stage.also_reads)):
        folder = experiment.folder(source)
        if source not in names and folder not in to_come and (known := classes_of(folder)):
            require_classes(folder, known, experiment.dataset().class_names)
        comes = source in (*names, *stage.also_reads) or folder in to_come
        if not comes and not is_done(folder):
            raise UserError(
                f"{name}: needs the stage {source}, which is not done in {folder.parent}; "
                f"run `acr {source}` with the same --config, or `acr run`"
            )


def _check_section_names(experiment: Experiment, name: str, section: Section) -> None:
    stage = experiment.chain.stages[name]
    names = stage.keys
    check_names(section, names, f"{name}.")
    if stage.function is None:
        check_names(section["trainer"], argument_names(TRAINER, name).names, f"{name}.trainer.")
        names = argument_names(section["data"]["class_path"], f"{name}.data").names
    _check_classes(section, name)
    if "dataset" in names and "dataset" not in data_arguments(section):
        experiment.dataset_node()  # says what is missing


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
                check_names(value, arguments.names, f"{where}.")
            groups = arguments.groups
        for key, item in value.items():
            place = f"{where}.{key}"
            if key in groups and item is not None and not (isinstance(item, dict) and "class_path" in item):
                if not isinstance(item, dict):
                    names = ", ".join(f"{place}.{name}" for name in groups[key])
                    raise UserError(f"{place}: is a group of values; set {names}")
                check_names(item, groups[key], f"{place}.")
            _check_classes(item, place)


def check_names(values: Collection[str], known: Collection[str], where: str) -> None:
    """Check that all keys are known; a message begins with `where`."""
    for key in values:
        if key not in known:
            hint = nearest(key, known) or (f" Known: {', '.join(known)}" if len(known) < 8 else "")
            raise UserError(f"{where}{key}: no such key.{hint}")


def checked_dataset(experiment: Experiment) -> TaggedDataset:
    """An experiment's data set, whose values are checked first."""
    check_node(experiment.dataset_node(), "dataset", TaggedDataset)
    return experiment.dataset()


def check_node(node: Section, where: str, kind: type) -> None:
    """Check a class that is named by `class_path` at a key, that it is of a kind, and its arguments."""
    import_class(node["class_path"], where, kind)
    _check_classes(node, where)
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(kind, where)
    parsed(parser, {where: node})
