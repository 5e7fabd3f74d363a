"""Library errors as one line for a person."""


def readable(error: Exception) -> str:
    """Jsonargparse's message as one line: the first line names the key, the innermost says why."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    reasons = [line for line in lines[1:] if line.startswith(("Expected", "Not a", "Not of", "Input should"))]
    return " ".join(dict.fromkeys([*lines[:1], *reasons[-1:]]))
