"""Values in their types, by jsonargparse, whose errors become one line for a person."""

import copy
import itertools
import re
from collections.abc import Callable
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from acr_lightning.classes.bounded import IN_WORDS
from acr_lightning.errors import UserError, nearest

# Why a class was refused, which says more than that the value may also be null.
REFUSALS = (
    (r"Option '(.+)' is not accepted", r"no such key '\1'"),
    (r"Group '(.+)' does not accept option '(.+)'", r"no such key '\1.\2'"),
    (r"the following arguments are required: (.+)", r"\1 is missing"),
    (r"(Import path .+ does not correspond to a subclass of .+)", r"\1"),
)


def parser_of(function: Callable[..., Any], **options: Any) -> ArgumentParser:
    """A parser with an option for each argument of a function or class; `options` are the parser's own."""
    parser = ArgumentParser(exit_on_error=False, add_help=False, **options)
    add = parser.add_class_arguments if isinstance(function, type) else parser.add_function_arguments
    add(function, fail_untyped=False)
    return parser


def parsed(parser: ArgumentParser, values: dict[str, Any], place: str = "") -> Namespace:
    """Values in their types, defaults for those that are not given.

    Args:
        parser: that knows the types.
        values: by key.
        place: of the values, which a message begins with.

    Raises:
        UserError: one is missing, unknown, or does not fit.
    """
    try:
        return parser.parse_object(copy.deepcopy(values))  # it writes into what it is given
    except ArgumentError as error:
        raise UserError(f"{place}{readable(error)}") from None


def readable(error: Exception) -> str:
    """Jsonargparse's message as one line: the path of the key, and why the value of the innermost one was refused."""
    text = str(error)
    keys = re.findall(r'Parser key "([^"]+)"', text)
    lines = _below(text.splitlines()) if keys else [" ".join(text.split())]
    for pattern, words in REFUSALS:
        if match := next(filter(None, (re.search(pattern, line.partition(". Got value")[0]) for line in lines)), None):
            return ": ".join(filter(None, (".".join(keys), match.expand(words))))
    if not keys:
        return lines[0]
    type_lines = [line for line in lines if line.startswith(("Expected", "Not of type"))]
    kinds = dict.fromkeys(_kind(line) for line in type_lines)
    value_text = next((value for line in (*type_lines, *lines) if (value := _given(line))), "")
    reason = f"Expected {', or '.join(kinds)}" if type_lines else lines[0]
    reason += f". Got value: {value_text}" if type_lines and value_text else ""
    reason = re.sub(r"a typing\.Literal\[(.*?)\]", r"one of \1", re.sub(r"a <class '(\w+)'>", r"\1", reason))
    reason = reason.replace("NoneType", "null")
    choices = re.findall(r"'([^']*)'", " ".join(re.findall(r"one of ('[^.]*')", reason)))
    hint = nearest(value_text, choices)
    return f"{'.'.join(keys)}: {reason.rstrip('.')}.{hint}" if hint else f"{'.'.join(keys)}: {reason}"


def _below(lines: list[str]) -> list[str]:
    """What is said of the innermost key: the lines indented below its own."""
    last = max(at for at, line in enumerate(lines) if "Parser key" in line)
    depth = len(lines[last]) - len(lines[last].lstrip())
    below = itertools.takewhile(lambda line: len(line) - len(line.lstrip()) > depth, lines[last + 1 :])
    first = lines[last].partition('":')[2]  # some say it on the same line
    return [line.strip(" -") for line in (first, *below) if line.strip()]


def _kind(line: str) -> str:
    """What jsonargparse expected, according to this line."""
    if line.startswith("Not of type"):
        return IN_WORDS.get(name := line.removeprefix("Not of type ").partition(":")[0], name)
    return line.removeprefix("Expected ").partition(". Got value")[0]


def _given(line: str) -> str:
    """The value that a line quotes; nothing where it quotes none."""
    match = re.search(r"(?:Got value: |Given value: )(.*)|: (\S+) does not conform|base 10: (.*)", line)
    return next((value for value in match.groups() if value), "") if match else ""
