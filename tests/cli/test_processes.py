"""Signals, and processes that end together. Numbers of processes are looked up in /proc."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from acr_lightning.cli.main import main

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
PARENT = (
    "import sys; from acr_lightning.system.processes import run_program; "
    "run_program([sys.executable, '-c', sys.argv[1]])"
)
POOL = """
import sys, time
from acr_lightning.system.pool import map_in_pool
if __name__ == "__main__":
    print("pool", flush=True)
    list(map_in_pool(time.sleep, [600] * 80, "work", workers=2))
"""


def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.fixture
def python():
    """Start a script and wait for its first line."""
    processes = []

    def start(*words):
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline()
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(config, started, tmp_path):
    """`acr run` while its stage trains, and the number of that process."""
    process = started("run", "--config", config, "--stages=fit", until=(tmp_path / "run" / "fit" / "last.ckpt").exists)
    (stage,) = children(process.pid)
    assert (tmp_path / "run" / ".fit.lock").read_text().startswith(f"filelock/2\npid={stage}\n")
    return process, stage


@pytest.mark.parametrize(
    ("signum", "status", "said"),
    [
        (signal.SIGTERM, 143, "acr run: stopped by SIGTERM; the same command continues"),
        (signal.SIGINT, 130, "acr run: interrupted; the same command continues"),
    ],
)
def test_a_signal_for_the_run_ends_its_stage_well(run, tmp_path, signum, status, said):
    process, stage = run
    process.send_signal(signum)
    errors = process.communicate()[1]
    assert process.returncode == status, errors
    assert is_gone(stage)
    assert "Traceback" not in errors
    assert errors.splitlines()[-2:] == [said.replace("run", "fit"), said]
    assert not (tmp_path / "run" / ".fit.lock").exists()


def test_a_killed_run_takes_its_stage_along(run, config):
    process, stage = run
    process.kill()
    wait_until(lambda: is_gone(stage), seconds=20)
    assert main(["fit", "--config", str(config)]) == 0


INTERRUPTED_TWICE = """
import io, os, signal, sys
from acr_lightning.cli.exit_status import exit_status
from acr_lightning.system.processes import end_well_on_signals

class Stream(io.StringIO):
    def write(self, text):
        os.kill(os.getpid(), signal.SIGINT)
        return super().write(text)

def work():
    os.kill(os.getpid(), signal.SIGINT)

end_well_on_signals()
sys.stderr = Stream()
exit_status("fit", work)
print("not reached")
"""


def test_a_second_signal_while_a_command_says_that_the_first_one_came():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_TWICE], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (-2, "", "")


def test_a_second_signal_kills(python):
    parent = python("-c", PARENT, DEAF)
    (child,) = children(parent.pid)
    parent.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert not is_gone(child)
    parent.send_signal(signal.SIGTERM)
    parent.communicate()
    assert is_gone(child)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_a_pool_ends_with_its_process(python, tmp_path, signum):
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    process = python(script)

    def workers():
        return [pid for pid in children(process.pid) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    wait_until(lambda: len(workers()) == 2)
    found = workers()
    time.sleep(1)  # until they work
    os.kill(process.pid, signum)
    said = process.communicate(timeout=60)[1]
    assert "InvalidStateError" not in said  # work that nobody had begun was cancelled
    wait_until(lambda: all(map(is_gone, found)), seconds=20)


FORKS = """
import os, sys, tempfile
from acr_lightning.system.processes import Fork, wait_for
mine = tempfile.TemporaryDirectory()
print(wait_for(Fork(lambda: os.path.isdir(mine.name) and 5)), os.path.isdir(mine.name))
"""


def test_a_forked_command_leaves_what_its_parent_tidies_up_itself():
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True)
    assert done.stdout == "5 True\n", done.stderr


FORKS_AMID_A_SIGNAL = """
import os, signal, time
from acr_lightning.cli.exit_status import exit_status
from acr_lightning.system.processes import Fork, wait_for
os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGINT))
print("ready", flush=True)
wait_for(Fork(lambda: exit_status("copy", lambda: time.sleep(600))))
"""


def test_a_signal_that_comes_while_a_process_forks_is_heard_by_both(python):
    """Python runs the hooks of other modules then, and ignores what they raise."""
    process = python("-c", FORKS_AMID_A_SIGNAL)
    said = process.communicate(timeout=60)[1]
    assert said.startswith("acr copy: interrupted; the same command continues\n")
    assert said.endswith("KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT


IN_A_DESTRUCTOR = """
import os, sys, time
from acr_lightning.cli.exit_status import exit_status
from acr_lightning.system.processes import end_well_on_signals

class Tidied:
    def __del__(self):
        os.kill(os.getpid(), int(sys.argv[1]))

def work():
    Tidied()
    print("went on", flush=True)
    time.sleep(600)

end_well_on_signals()
sys.exit(exit_status("fit", work))
"""


@pytest.mark.parametrize(
    ("signum", "status", "said"), [(signal.SIGTERM, 143, "stopped by SIGTERM"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_that_comes_in_a_destructor_is_heard(python, signum, status, said):
    """Python drops what a destructor raises, and prints a traceback of it."""
    process = python("-c", IN_A_DESTRUCTOR, str(int(signum)))
    assert process.communicate(timeout=60)[1] == f"acr fit: {said}; the same command continues\n"
    assert process.returncode == status


AT_EXIT = """
import atexit, os, sys
from acr_lightning.cli.main import main
signum = int(sys.argv[1])
atexit.register(lambda: os.kill(os.getpid(), signum))
sys.argv[1:] = ["list", "methods"]
sys.exit(main())
"""


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_work_ends_the_process_without_a_word(python, signum):
    process = python("-c", AT_EXIT, str(int(signum)))
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == -signum
