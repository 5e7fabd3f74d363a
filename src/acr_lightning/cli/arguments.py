"""The words of a command line: the few options of `acr` itself, and dotted values for the experiment."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from acr_lightning.errors import UserError, shown


@dataclass
class Arguments:
    """A parsed command line.

    Attributes:
        config: of `--config` or `-c`.
        flags: options without a value that were given.
        values: dotted keys and their parsed values, in order.
        words: what is no option.
    """

    config: str | None = None
    flags: set[str] = field(default_factory=set)
    values: list[tuple[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


FLAGS = ("--help", "-h", "--print_config", "--force", "--check")


def parse(words: list[str]) -> Arguments:
    """Split a command line.

    Values are read as YAML, as LightningCLI does: `--model.srf=null`, `--cam.model.scales "[0.5, 1.0]"`.

    Raises:
        UserError: an option lacks its value.
    """
    found, left = Arguments(), list(words)
    while left:
        word = left.pop(0)
        key, equals, value = word.partition("=")
        if word in FLAGS:
            found.flags.add("--help" if word == "-h" else word)
        elif not word.startswith("-"):
            found.words.append(word)
        else:
            if not equals:
                if not left:
                    raise UserError(f"{word}: needs a value")
                value = left.pop(0)
            if key in ("--config", "-c"):
                found.config = value
            else:
                found.values.append((key.lstrip("-"), _value(key, value)))
    return found


def _value(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except Exception:  # PyYAML lets out what its parts raise: ValueError of 2001-99-99, RecursionError …
        raise UserError(f"{key}: {shown(text)} is not a YAML value") from None
