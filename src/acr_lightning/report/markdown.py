"""Text of others in Markdown: a run may come from anyone, and Markdown holds links, pictures and HTML."""

import re
from typing import Any

# What begins something inside a line, in CommonMark and in GitHub's dialect, which makes links of bare addresses.
# Brackets by themselves do not, nor does `_` within a word.
SPECIAL = re.compile(r"[\\`*<&|~]|\](?=[(\[:])|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.", re.IGNORECASE)
SPACE_OR_CONTROL = re.compile(r"[\s\0-\x1f\x7f-\x9f]+")


def plain(value: Any) -> str:
    """A value as Markdown that shows its text and does nothing else, in one line, in a cell of a table as well."""
    return SPECIAL.sub(r"\\\g<0>", SPACE_OR_CONTROL.sub(" ", str(value)).strip())
