"""`acr STAGE --help`: every value of the stage's section, as the experiment sets it, with its docstring."""

import inspect
from argparse import SUPPRESS
from dataclasses import replace
from typing import Any

from jsonargparse import ArgumentParser

from acr_lightning.chain.check import LINKED, section_values, signature_of_part
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.signature import Argument, Signature, signature_of, signature_of_function
from acr_lightning.chain.stage import SECTION_KEYS, Section
from acr_lightning.cli.call import add_options


def print_help(experiment: Experiment, name: str) -> None:
    """Print a stage's purpose, files and options."""
    stage, section = experiment.chain.stages[name], experiment.section(name)
    print(f"usage: acr {name} --config FILE [--KEY=VALUE …] [--run DIR] [--force] [--print_config]\n\n{stage.help}")
    if stage.function is not None:
        parser = ArgumentParser(usage=SUPPRESS, add_help=False)
        add_options(parser, _with_values(signature_of_function(stage.function), section))
        parser.print_help()
        return
    for part in SECTION_KEYS[1:]:
        parser = ArgumentParser(usage=SUPPRESS, add_help=False)
        signature = signature_of_part(section, part, name)
        title = "Lightning's Trainer" if part == "trainer" else f"{section[part]['class_path']}: {signature.help}"
        print(f"{part}: {title}")
        add_options(parser, _with_values(signature, section_values(section, part)), f"{part}.", skip=LINKED)
        parser.print_help()


def _with_values(signature: Signature, values: Section) -> Signature:
    """The signature with an experiment's values as defaults."""
    made = {
        name: _with_value(one, values[name]) if name in values else one for name, one in signature.arguments.items()
    }
    return Signature(made, signature.takes_any, inspect.cleandoc(signature.help))


def _with_value(argument: Argument, value: Any) -> Argument:
    """The argument with its value as default; a class that is named there, or a group, with its own arguments."""
    if isinstance(value, dict) and "class_path" in value:
        named = signature_of(value["class_path"], "class_path")
        named = named.without_first() if argument.called else named
        return replace(argument, group=_with_values(named, value.get("init_args") or {}))
    if argument.group and isinstance(value, dict):
        return replace(argument, group=_with_values(argument.group, value))
    return replace(argument, default=value)
