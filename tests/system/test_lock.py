import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from acr_lightning.errors import UserError
from acr_lightning.system import lock
from acr_lightning.system.lock import folder_lock

HOLD = """
import sys
from pathlib import Path
from acr_lightning.system.lock import folder_lock
with folder_lock(Path(sys.argv[1]), *sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    """A process that holds the lock of the folder `fit`, or of a shard of it, until its input ends."""
    processes = []

    def start(*shard):
        words = [sys.executable, "-c", HOLD, str(tmp_path / "fit"), *shard]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.communicate()


def test_a_second_command_is_told_who_works_there(tmp_path, held):
    first, host = held(), socket.gethostname()
    message = f"{tmp_path}/fit is in use by process {first.pid} on {host}; wait for it or stop it"
    with pytest.raises(UserError, match=message), folder_lock(tmp_path / "fit"):
        pass
    with folder_lock(tmp_path / "cam"):  # another stage
        pass
    first.communicate()
    with folder_lock(tmp_path / "fit"):
        assert (tmp_path / ".fit.lock").read_text().startswith(f"filelock/2\npid={os.getpid()}\nhost={host}")
    assert not list(tmp_path.iterdir())


def test_a_lease_that_is_released_at_the_last_moment_is_taken(tmp_path, monkeypatch):
    lease, acquire = tmp_path / ".fit.lock", lock.SoftFileLease.acquire
    lease.write_text("filelock/2\npid=1\nhost=node12\n")

    def late(self, **options):
        if lease.exists():
            lease.unlink()
            raise lock.Timeout(str(lease))
        return acquire(self, **options)

    monkeypatch.setattr(lock.SoftFileLease, "acquire", late)
    with folder_lock(tmp_path / "fit"):
        assert f"pid={os.getpid()}" in lease.read_text()


def test_what_a_process_left_that_was_killed_before_it_could_say_who_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_WITH_THE_EMPTY", 1.5)
    (tmp_path / ".fit.lock").touch()
    with folder_lock(tmp_path / "fit"):
        assert (tmp_path / ".fit.lock").read_text().startswith(f"filelock/2\npid={os.getpid()}\n")


def test_what_a_killed_process_left_is_taken_over(tmp_path, held):
    first = held()
    first.kill()
    first.wait()
    assert (tmp_path / ".fit.lock").exists()
    with folder_lock(tmp_path / "fit"):
        assert (tmp_path / ".fit.lock").read_text().startswith(f"filelock/2\npid={os.getpid()}\n")


def test_a_killed_process_whose_parent_has_not_heard_of_it_is_waited_for(tmp_path, held):
    first = held()
    first.kill()
    threading.Timer(2, first.wait).start()
    with folder_lock(tmp_path / "fit"):
        assert first.returncode is not None


@pytest.fixture
def of_node12(tmp_path):
    """What a process of another machine left, written by filelock itself under that name."""
    script = "import socket; socket.gethostname = lambda: 'node12'\n" + HOLD
    words = [sys.executable, "-c", script, str(tmp_path / "fit")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()
    return tmp_path / ".fit.lock", process.pid


def test_a_dead_process_of_another_machine_loses_its_place_without_anybody_s_help(tmp_path, of_node12, monkeypatch):
    lease, pid = of_node12
    assert f"pid={pid}\nhost=node12" in lease.read_text()
    lease.write_text(lease.read_text().replace(f"duration={lock.LEASE}", "duration=3.0"))
    os.utime(lease, (0, 2**33))  # its machine's clock is centuries ahead
    monkeypatch.setattr(lock, "LEASE", 3.0)
    monkeypatch.setattr(lock, "BEAT", 1.0)
    since = time.monotonic()
    with folder_lock(tmp_path / "fit"):
        assert time.monotonic() - since >= 3
        assert lease.read_text().startswith(f"filelock/2\npid={os.getpid()}\n")
    assert not lease.exists()


def test_a_living_process_of_another_machine_keeps_its_place(tmp_path, of_node12):
    lease, pid = of_node12
    threading.Timer(0.5, os.utime, [lease]).start()  # its sign of life
    message = f"process {pid} on node12; wait for it or stop it, then the same command goes on"
    with pytest.raises(UserError, match=message), folder_lock(tmp_path / "fit"):
        pass
    assert "node12" in lease.read_text()


def test_a_holder_that_was_taken_for_dead_ends(tmp_path):
    quick = HOLD.replace("\nwith", "\nfrom acr_lightning.system import lock\nlock.LEASE, lock.BEAT = 0.9, 0.3\nwith")
    words = [sys.executable, "-c", quick, str(tmp_path / "fit")]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    (tmp_path / "other").write_text("another one's")
    os.replace(tmp_path / "other", tmp_path / ".fit.lock")
    assert process.wait(timeout=60) == -15
    assert "no sign of life from this process" in process.communicate()[1]
    assert (tmp_path / ".fit.lock").read_text() == "another one's"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\nnode12\n", "another process;"),
        (b"7\n\xff\n", "another process;"),
        (b"7\nnode12\n", "another process;"),
        (b"filelock/2\npid=7\nhost=node12\x1b[2J\n", "another process;"),
        (b"filelock/2\npid=7\nhost=node12; rm -rf ~\n", "another process;"),
        (b"filelock/2\npid=../1\nhost=node12\n", "another process;"),
    ],
)
def test_what_a_lock_says_is_told_only_where_it_names_a_process(tmp_path, content, said):
    (tmp_path / ".fit.lock").write_bytes(content)
    with pytest.raises(UserError) as error, folder_lock(tmp_path / "fit"):
        pass
    assert f"in use by {said}" in str(error.value)
    assert "kill" not in str(error.value)
    assert str(error.value).isprintable()


def test_shards_work_side_by_side_but_not_beside_a_job_for_the_whole(tmp_path, held):
    first, second = held("1/2"), held("2/2")
    for shard in (None, "2/2"):
        holder = first.pid if shard is None else second.pid
        with pytest.raises(UserError, match=f"in use by process ({first.pid}|{holder}) on"):
            folder_lock(tmp_path / "fit", shard).__enter__()
    for process in (first, second):
        process.communicate()
    held()
    with pytest.raises(UserError, match="in use by process"), folder_lock(tmp_path / "fit", "1/2"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".fit.lock"]


def test_a_loader_process_that_ends_does_not_free_the_lock(tmp_path):
    with folder_lock(tmp_path / "fit"):
        child = multiprocessing.get_context("fork").Process(target=int)
        child.start()
        child.join()
        assert (tmp_path / ".fit.lock").exists()
