"""What the operating system refuses, as one line for a person."""

import errno
import re

from acr_lightning.system.launch import GONE

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
# The last line of a traceback, which is all that a loader process's error brings along.
FROM_LOADER = re.compile(r"^\w+: \[Errno (\d+)\] ([^:\n]+)(?:: '([^'\n]*)'.*)?$", re.MULTILINE)


def system_error(error: OSError) -> str | None:
    """What the operating system refused, and how to go on, as one line; None where it was not the system."""
    number, reason, where = error.errno, error.strerror, error.filename
    if number is None and (matches := FROM_LOADER.findall(str(error))):
        number, reason, where = int(matches[-1][0]), matches[-1][1], matches[-1][2]
    if number is None:
        return None
    advice = f"{ADVICE[number]}; " if number in ADVICE else ""
    return (
        f"{f'{where}: ' if where else ''}{reason}; {advice}what was finished before is kept, "
        "and the same command goes on from there"
    )


def lost_peer(error: BaseException) -> str | None:
    """One line for a process of a distributed job that another one left alone; None for any other error."""
    # What torch raises while processes find each other; by name, since most commands do without torch.
    is_of_start = type(error).__name__ in ("DistNetworkError", "DistStoreError")
    if is_of_start or (isinstance(error, RuntimeError) and re.search("Connection (closed|reset) by peer", str(error))):
        return GONE
    if type(error).__name__ == "BrokenProcessPool":
        return "a process of this command was killed (is there too little memory?); the same command continues"
    return None
