"""Words of a command line to a call of a typed function: one parser for all commands.

A positional-only parameter is a word without dashes, a keyword-only one an option, a `bool` may stand without a value.
A function with `**values` takes any other `--KEY=VALUE`: values of the experiment, read as YAML.
"""

import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, get_args

from jsonargparse import ArgumentError, ArgumentParser

from acr_lightning.artefacts.text_file import parse_yaml
from acr_lightning.chain.messages import readable
from acr_lightning.errors import UserError, nearest, shown


def call(function: Callable[..., int], command: str, words: list[str], first: tuple[str, ...] = ()) -> int:
    """Call a command's function with the words after it; its exit status.

    Args:
        function: of the command.
        command: its name.
        words: after the name.
        first: what the function is told before them.

    Raises:
        UserError: an option or a value does not fit, or one is missing.
    """
    signature = inspect.signature(function)
    options = {name: one for name, one in signature.parameters.items() if one.kind is one.KEYWORD_ONLY}
    others = [one for name, one in signature.parameters.items() if name not in options]
    takes_values = any(one.kind is one.VAR_KEYWORD for one in others)
    words_first = [_usage(one) for one in others[len(first) :] if one.kind is not one.VAR_KEYWORD]
    required = [f"--{name} {name.upper()}" for name, one in options.items() if one.default is one.empty]
    usage = f"acr {command} {' '.join([*words_first, *required, '[--KEY=VALUE …]'])}"
    parser = ArgumentParser(
        exit_on_error=False, add_help=False, usage=usage,
        description=(inspect.getdoc(function) or "").partition("\n\nArgs:")[0],
    )  # fmt: skip
    parser.add_function_arguments(function, as_group=False, skip={one.name for one in others})
    if {"--help", "-h"} & set(words) and "help" not in options:
        parser.print_help()
        return 0
    own, values, places = _split(words, options, takes_values)
    try:
        arguments = parser.parse_args([f"--{name}={text}" for name, text in own.items()]).as_dict() | values
        signature.bind(*first, *places, **arguments)
    except ArgumentError as error:
        raise UserError(f"--{readable(error)}; usage: {usage}") from None
    except TypeError as error:
        file = next((place for place in places if "config" in options and place.endswith((".yaml", ".yml"))), None)
        raise UserError(f"{f'did you mean --config {file}?' if file else error}; usage: {usage}") from None
    return function(*first, *places, **arguments)


def _usage(one: Parameter) -> str:
    """What a usage line says of a parameter that is a word."""
    word = f"{one.name.upper()} …" if one.kind is one.VAR_POSITIONAL else one.name.upper()
    return word if one.default is one.empty else f"[{word}]"


def _split(
    words: list[str], options: Mapping[str, Parameter], takes_values: bool
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
        kind = options[name].annotation if name in options else None
        if not equals and bool in (kind, *get_args(kind)):
            text = "true"
        elif not equals:
            if not queue:
                raise UserError(f"{key}: needs a value{'.' if hint else ''}{hint}")
            text = queue.pop(0)
        if name in options:
            own[name] = text
            continue
        try:
            values[name] = parse_yaml(text)
        except ValueError as error:
            raise UserError(f"{key}: {shown(text)} is not a YAML value ({error})") from None
    return own, values, places
