"""Library errors as one line for a person."""

import re


def readable(error: Exception) -> str:
    """Jsonargparse's message as one line: the path of the key, and what was expected of the innermost one."""
    text = str(error)
    keys = re.findall(r'Parser key "([^"]+)"', text)
    if not keys:
        return " ".join(text.split())
    inside = text.rpartition('Parser key "')[2].partition('":')[2]
    lines = [line.strip(" -") for line in inside.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith(("Expected", "Not ", "Input should"))] or lines
    return f"{'.'.join(keys)}: {reasons[0]}"
