"""Words of a command line to a call of a typed function: one parser for all commands.

A positional-only parameter is a word without dashes, a keyword-only one an option, a `bool` may stand without a value.
A function with `**values` takes any other `--KEY=VALUE`: values of the experiment, read as YAML.
"""

import inspect
from argparse import SUPPRESS
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any

import docstring_parser
from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.artefacts.text_file import parse_yaml
from acr_lightning.chain.messages import readable
from acr_lightning.errors import UserError, nearest, shown

# Types of options that may stand without a value, which is then true.
FLAGS = (bool, bool | None)

Options = Mapping[str, Parameter]


def call(function: Callable[..., int], command: str, words: list[str]) -> int:
    """Call a command's function with the words after it; its exit status.

    Raises:
        UserError: an option or a value does not fit, or one is missing.
    """
    signature = inspect.signature(function)
    options = {name: one for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY}
    usage = f"usage: acr {command} {' '.join(filter(None, map(_usage, signature.parameters.values())))}"
    if {"--help", "-h"} & set(words) and "help" not in options:
        docstring = docstring_parser.parse(inspect.getdoc(function) or "")
        helps = {one.arg_name: " ".join((one.description or "").split()) for one in docstring.params}
        print(f"{usage}\n\n{(docstring.description or '').strip()}\n")
        _parser(options, helps, usage=SUPPRESS).print_help()
        return 0
    takes_values = any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    own, values, places = _split(words, options, takes_values)
    arguments = _typed(options, own) | values
    try:
        signature.bind(*places, **arguments)
    except TypeError as error:
        raise UserError(f"{error}; {usage}") from None
    return function(*places, **arguments)


def _usage(one: Parameter) -> str:
    """What a usage line says of a parameter."""
    if one.kind is one.VAR_KEYWORD:
        return "[--KEY=VALUE …]"
    word = one.name.upper()
    if one.kind is one.VAR_POSITIONAL:
        return f"{word} …"
    if one.kind is one.KEYWORD_ONLY:
        word = f"--{one.name}" if one.annotation is bool else f"--{one.name} {word}"
    return word if one.default is one.empty else f"[{word}]"


def _split(words: list[str], options: Options, takes_values: bool) -> tuple[dict[str, str], dict[str, Any], list[str]]:
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
        if not equals and name in options and options[name].annotation in FLAGS:
            text = "true"
        elif not equals:
            if not queue:
                raise UserError(f"{key}: needs a value{'.' if hint else ''}{hint}")
            text = queue.pop(0)
        if name in options:
            own[name] = text
        else:
            values[name] = _yaml(key, text)
    return own, values, places


def _yaml(key: str, text: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise UserError(f"{key}: {shown(text)} is not a YAML value ({error})") from None


def _typed(options: Options, own: dict[str, str]) -> dict[str, Any]:
    """The options that are there, in their types."""
    parser = _parser({name: options[name] for name in own})
    try:
        return parser.parse_args([f"--{name}={text}" for name, text in own.items()]).as_dict()
    except ArgumentError as error:
        raise UserError(f"--{readable(error)}") from None


def _parser(options: Options, helps: Mapping[str, str] = {}, **more: Any) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False, add_help=False, **more)
    for name, one in options.items():
        default = {} if one.default is one.empty else {"default": one.default}
        parser.add_argument(f"--{name}", type=one.annotation, help=helps.get(name), **default)
    return parser
