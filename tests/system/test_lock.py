import multiprocessing
import os
import socket
import subprocess
import sys
import threading

import pytest

from acr_lightning.errors import UserError
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
        assert (tmp_path / ".fit.lock").read_text().startswith(f"{os.getpid()}\n{host}")
    assert not list(tmp_path.iterdir())


def test_what_a_process_left_that_was_killed_before_it_could_say_who_it_is(tmp_path):
    (tmp_path / ".fit.lock").touch()
    with folder_lock(tmp_path / "fit"):
        assert (tmp_path / ".fit.lock").read_text().startswith(f"{os.getpid()}\n")


def test_what_a_killed_process_left_is_taken_over(tmp_path, held):
    first = held()
    first.kill()
    first.wait()
    assert (tmp_path / ".fit.lock").exists()
    with folder_lock(tmp_path / "fit"):
        assert (tmp_path / ".fit.lock").read_text().startswith(f"{os.getpid()}\n")


def test_a_killed_process_whose_parent_has_not_heard_of_it_is_waited_for(tmp_path, held):
    first = held()
    first.kill()
    threading.Timer(2, first.wait).start()
    with folder_lock(tmp_path / "fit"):
        assert first.returncode is not None


def test_a_process_of_another_machine_is_left_to_a_person(tmp_path):
    lock = tmp_path / ".fit.lock"
    lock.write_text("7\nnode12\n")
    message = rf"process 7 on node12; .* If no such process runs there, delete {lock}"
    with pytest.raises(UserError, match=message), folder_lock(tmp_path / "fit"):
        pass
    assert lock.read_text() == "7\nnode12\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\nnode12\n", "another process;"),
        (b"7\n\xff\n", "another process;"),
        (b"7; rm -rf ~\nnode12\n", "another process;"),
        (b"7\nnode12; rm -rf ~\n", "another process;"),
        (b"7\nnode12\x1b[2J\n", "another process;"),
        (b"../1\nnode12\n", "another process;"),
        (b"7\nnode-12.example?4026531836\n1.5\n", "process 7 on node-12.example;"),
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
