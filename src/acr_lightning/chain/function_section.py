"""jsonargparse for one stage that is a plain typed function."""

from collections.abc import Callable
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.chain.keys import arguments_of, check_keys
from acr_lightning.chain.messages import readable
from acr_lightning.chain.stage import Section
from acr_lightning.data.tagged import TaggedDataset
from acr_lightning.errors import UserError


def parser_of(function: Callable[..., Any]) -> ArgumentParser:
    """The parser of a stage function; its `dataset` is any `TaggedDataset`."""
    parser = ArgumentParser(prog="acr", exit_on_error=False, description=(function.__doc__ or "").splitlines()[0])
    if "dataset" in arguments_of(function):
        parser.add_subclass_arguments(TaggedDataset, "dataset", help="the photos, tags and perhaps masks")
    parser.add_function_arguments(function, skip={"dataset"})
    return parser


def parse(function: Callable[..., Any], section: Section) -> tuple[ArgumentParser, Any]:
    """The parser of a function, and a section parsed by it.

    Raises:
        UserError: a key does not exist or a value does not fit.
    """
    check_keys(section, arguments_of(function), "section")
    parser = parser_of(function)
    try:
        return parser, parser.parse_object(section)
    except ArgumentError as error:
        raise UserError(readable(error)) from None


def run_function(function: Callable[..., Any], section: Section) -> Any:
    """Call a stage function with its section's values."""
    parser, values = parse(function, section)
    return function(**parser.instantiate_classes(values).as_dict())
