"""Words of a command line to a call of a typed function: one parser for all commands.

A positional-only parameter is a word without dashes, a keyword-only one an option, a `bool` may stand without a value.
A function with `**values` takes any other `--KEY=VALUE`: values of the experiment, read as YAML.
"""

import inspect
import json
from argparse import SUPPRESS
from collections.abc import Callable
from typing import Any, NamedTuple

import docstring_parser
import yaml
from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.artefacts.text_file import parse_yaml
from acr_lightning.chain.messages import readable
from acr_lightning.errors import UserError, nearest, shown

REQUIRED = inspect.Parameter.empty
# Types of options that may stand without a value, which is then true.
FLAGS = (bool, bool | None)
# Types of options that may be given several times.
LISTS = (list[str], list[str] | None)


class Option(NamedTuple):
    """One of a command's own options."""

    type: Any
    default: Any
    help: str


def call(function: Callable[..., int], command: str, words: list[str]) -> int:
    """Call a command's function with the words after it; its exit status.

    Raises:
        UserError: an option or a value does not fit, or one is missing.
    """
    parameters = inspect.signature(function).parameters.values()
    kinds = {parameter.name: parameter.kind for parameter in parameters}
    options = _options(function)
    if {"--help", "-h"} & set(words) and "help" not in options:
        _print_help(function, command, options)
        return 0
    takes_values = inspect.Parameter.VAR_KEYWORD in kinds.values()
    own, values, places = _split(words, options, takes_values)
    least = sum(
        parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is REQUIRED for parameter in parameters
    )
    most = sum(kind is inspect.Parameter.POSITIONAL_ONLY for kind in kinds.values())
    if len(places) < least or (len(places) > most and inspect.Parameter.VAR_POSITIONAL not in kinds.values()):
        names = [parameter.name.upper() for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY]
        usage = f"expected {' '.join(names)}" if names else "values are given as --key=value"
        raise UserError(f"{usage}, not '{' '.join(places)}'; see acr {command} --help")
    return function(*places, **_typed(options, own), **values)


def _options(function: Callable[..., int]) -> dict[str, Option]:
    """The options of a command, by name."""
    helps = {
        one.arg_name: one.description or "" for one in docstring_parser.parse(inspect.getdoc(function) or "").params
    }
    return {
        name: Option(one.annotation, one.default, " ".join(helps.get(name, "").split()))
        for name, one in inspect.signature(function).parameters.items()
        if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    }


def _split(
    words: list[str], options: dict[str, Option], takes_values: bool
) -> tuple[dict[str, str], dict[str, Any], list[str]]:
    """The function's own options as text, the experiment's values, and what is no option."""
    own: dict[str, str] = {}
    values: dict[str, Any] = {}
    places, queue = [], list(words)
    while queue:
        key, equals, text = queue.pop(0).partition("=")
        if not key.startswith("-"):
            places.append(f"{key}{equals}{text}")
            continue
        name = {"-h": "help", "-c": "config"}.get(key, key.lstrip("-"))
        # A word that is little like an option may be a misspelt key, of which the experiment says more.
        hint = nearest(name, options, likeness=0.7 if takes_values else 0.6)
        if name not in options and (not takes_values or ("." not in name and hint)):
            raise UserError(f"{key}: no such option.{hint}")
        if not equals and name in options and options[name].type in FLAGS:
            text = "true"
        elif not equals:
            if not queue:
                raise UserError(f"{key}: needs a value{'.' if hint else ''}{hint}")
            text = queue.pop(0)
        if name in options:
            own[name] = _one_more(own.get(name), text) if options[name].type in LISTS else text
        else:
            values[name] = _yaml(key, text)
    return own, values, places


def _one_more(before: str | None, text: str) -> str:
    """A list as JSON, with one more item, or `[several, items]`, at its end."""
    items = yaml.safe_load(text) if text.startswith("[") else [text]
    return json.dumps([*json.loads(before or "[]"), *items])


def _yaml(key: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{key}: {shown(text)} is not a YAML value ({error})") from None


def _typed(options: dict[str, Option], own: dict[str, str]) -> dict[str, Any]:
    """The options in their types."""
    for name, option in options.items():
        if option.default is REQUIRED and name not in own:
            raise UserError(f"--{name} is missing")
    try:
        arguments = _parser(options).parse_args([f"--{name}={text}" for name, text in own.items()]).as_dict()
    except ArgumentError as error:
        raise UserError(f"--{readable(error)}") from None
    return {name: arguments[name] for name in own}


def _parser(options: dict[str, Option], **more: Any) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False, add_help=False, **more)
    for name, option in options.items():
        default = {} if option.default is REQUIRED else {"default": option.default}
        parser.add_argument(f"--{name}", type=option.type, help=option.help or None, **default)
    return parser


def _print_help(function: Callable[..., int], command: str, options: dict[str, Option]) -> None:
    """What a command does, and its options."""
    print(usage_of(function, command) + "\n")
    print(description(function) + "\n")
    _parser(options, usage=SUPPRESS).print_help()


def usage_of(function: Callable[..., int], command: str) -> str:
    """The usage line."""
    words = [f"acr {command}"]
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            optional = parameter.default is not REQUIRED
            words.append(f"[{parameter.name.upper()}]" if optional else parameter.name.upper())
        elif parameter.kind is parameter.VAR_POSITIONAL:
            words.append(f"{parameter.name.upper()} …")
        elif parameter.kind is parameter.VAR_KEYWORD:
            words.append("[--KEY=VALUE …]")
        elif parameter.name != "help":
            word = f"--{parameter.name}" + ("" if parameter.annotation is bool else f" {parameter.name.upper()}")
            words.append(word if parameter.default is REQUIRED else f"[{word}]")
    return "usage: " + " ".join(words)


def description(function: Callable[..., int]) -> str:
    """A docstring up to its arguments."""
    return (inspect.getdoc(function) or "").partition("\nArgs:")[0].strip()
