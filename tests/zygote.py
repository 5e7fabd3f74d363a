"""A process that has imported everything and starts commands of `acr` as copies of itself: eight seconds less for each.

Reads requests and writes answers, one JSON a line: `{"words": …, "cwd": …, "env": …, "out": …, "err": …}` starts a
command in a session of its own and is answered by its number; `{"wait": …}` by its exit status, minus the signal if
it was killed; `{"poll": …}` likewise, or by null while it runs.
"""

import json
import os
import sys
from pathlib import Path

from acr_lightning.cli import start
from torture.commands import as_typed, fork


def begin(request):
    """Start a command in a copy of this process; its number."""

    def work():
        os.environ.update(request["env"])
        return as_typed(request["words"], Path(request["cwd"]))

    return fork(work, Path(request["out"]), Path(request["err"]))


def answer(request):
    """The answer to one request."""
    if "words" in request:
        return begin(request)
    pid = request.get("wait") or request["poll"]
    found, status = os.waitpid(pid, 0 if "wait" in request else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


if __name__ == "__main__":
    start.way_to_start()  # imports what the stages need
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
