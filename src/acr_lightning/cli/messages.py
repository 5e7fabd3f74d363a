"""Library errors as one line for a person."""

import errno
import re

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "write elsewhere, with --run",
    errno.EACCES: "see to the permissions",
    errno.EPERM: "see to the permissions",
    errno.EMFILE: "allow more open files (ulimit -n), or start fewer workers",
    errno.ENFILE: "close other programs, or start fewer workers",
    errno.EIO: "see to the disk",
}


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


def system_error(error: OSError) -> str:
    """What the operating system refused, and how to go on, as one line."""
    where = f"{error.filename}: " if error.filename else ""
    advice = f"{ADVICE[error.errno]}; " if error.errno in ADVICE else ""
    return f"{where}{error.strerror}; {advice}what was finished before is kept, and the same command goes on from there"
