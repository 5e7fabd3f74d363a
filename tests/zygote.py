"""A process that has imported everything and starts commands of `acr` as copies of itself: eight seconds less for each.

Reads requests and writes answers, one JSON a line: `{"words": …, "cwd": …, "env": …, "out": …, "err": …}` starts a
command in a session of its own and is answered by its number; `{"wait": …}` by its exit status, minus the signal if
it was killed; `{"poll": …}` likewise, or by null while it runs.
"""

import json
import multiprocessing.util
import os
import sys
import traceback

import acr_lightning.cli.main
from acr_lightning.cli import start


def begin(request):
    """Fork; the child does the command's work and never comes back."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    devices = os.open(os.devnull, os.O_RDONLY)
    files = [os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for name in ("out", "err")]
    for number, descriptor in enumerate([devices, *files]):
        os.dup2(descriptor, number)
    # What Lightning starts for each further device.
    sys.argv = [os.path.join(os.path.dirname(sys.executable), "acr"), *request["words"]]
    status = 1
    try:
        status = acr_lightning.cli.main.main(request["words"])
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    multiprocessing.util._exit_function()
    os._exit(status)  # the zygote's own end is not the command's


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
