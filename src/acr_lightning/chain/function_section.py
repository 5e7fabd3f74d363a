"""The section of a stage that is a plain typed function."""

from collections.abc import Callable
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.chain.messages import readable
from acr_lightning.chain.stage import Section
from acr_lightning.classes.class_names import build
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError


def function_parser(function: Callable[..., Any], **options: Any) -> ArgumentParser:
    """A parser with an option for each of a function's arguments; `options` are the parser's own."""
    parser = ArgumentParser(exit_on_error=False, add_help=False, **options)
    parser.add_function_arguments(function, fail_untyped=False)
    return parser


def check_function(function: Callable[..., Any], section: Section) -> Section:
    """Check the values of a section.

    Returns:
        All arguments in their types, defaults for those that are not given.

    Raises:
        UserError: a key is missing, or a value does not fit.
    """
    try:
        return function_parser(function).parse_object(section).as_dict()
    except ArgumentError as error:
        raise UserError(f"{function.__name__}.{readable(error)}") from None


def run_function(function: Callable[..., Any], section: Section) -> Any:
    """Call a stage function with its section's values; its data set is built from `class_path` and `init_args`."""
    values = check_function(function, section)
    if "dataset" in section:
        values["dataset"] = build(section["dataset"], "dataset", TaggedDataset)
    return function(**values)
