"""`acr STAGE --help`: every value of the stage's section, as the experiment sets it, with its docstring."""

import inspect
import re
from argparse import SUPPRESS

from jsonargparse import ArgumentParser

from acr_lightning.chain.check import TRAINER
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.messages import parser_of
from acr_lightning.chain.stage import SECTION_KEYS, Section
from acr_lightning.classes.class_names import import_class


def print_help(experiment: Experiment, name: str) -> None:
    """Print a stage's purpose, files and options."""
    stage, section = experiment.chain.stages[name], experiment.section(name)
    print(f"usage: acr {name} --config FILE [--KEY=VALUE …] [--run DIR] [--force] [--print_config]\n\n{stage.help}")
    if stage.function is not None:
        parser = parser_of(stage.function, usage=SUPPRESS)
        parser.set_defaults(section)
        print(_for_people(parser))
        return
    for part in SECTION_KEYS[1:]:
        node = {"class_path": TRAINER, "init_args": section[part]} if part == "trainer" else section[part]
        parser = ArgumentParser(usage=SUPPRESS, add_help=False)
        add_class(parser, node, part)
        print(f"{part}: {node['class_path']}")
        print(_for_people(parser))


def add_class(parser: ArgumentParser, node: Section, key: str, first: int = 0) -> None:
    """Give a parser the arguments of a class, with a section's values as defaults, and of the classes in them.

    The first arguments of a class, so many, come from elsewhere.
    """
    cls, values = import_class(node["class_path"], key, object), node.get("init_args") or {}
    classes = {name: value for name, value in values.items() if isinstance(value, dict) and "class_path" in value}
    dataset_arguments = {"num_classes"} if key.startswith("model") else set()  # it sets them, no section does
    parser.add_class_arguments(
        cls, key, skip={*dataset_arguments, *classes, *([first] if first else [])}, fail_untyped=False
    )
    parser.set_defaults({f"{key}.{name}": value for name, value in values.items() if name not in classes})
    for name, value in classes.items():
        is_called = "Callable[" in str(inspect.signature(cls).parameters[name].annotation)
        add_class(parser, value, f"{key}.{name}", int(is_called))


def _for_people(parser: ArgumentParser) -> str:
    """The help of a parser without the options of its library, which no section has."""
    text = re.sub(r"  --\S+ CONFIG\s+Path to a configuration file\.\n", "", parser.format_help())
    return re.sub(r"  --\S+\.help( \S+)?\s+Show the help for [^.]*?exit\.\n", "", text)
