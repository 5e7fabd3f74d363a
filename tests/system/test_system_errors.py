import errno
import os
import re
import signal
from pathlib import Path

import pytest
import torch.distributed

from acr_lightning.cli.main import main
from acr_lightning.system.pool import map_in_pool
from acr_lightning.system.system_errors import system_error


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "No space left on device; free some space; what was finished before is kept"),
        (errno.EROFS, "Read-only file system; write elsewhere, with --run; what was"),
        (errno.EACCES, "Permission denied; see to the permissions; what was"),
        (errno.EMFILE, r"Too many open files; allow more open files \(ulimit -n\), or start fewer workers; what was"),
        (errno.ENOENT, "No such file or directory; what was"),
    ],
)
def test_what_the_system_refuses_gets_one_line(monkeypatch, capsys, number, advice):
    def refuse():
        raise OSError(number, os.strerror(number), "runs/a/last.ckpt")

    monkeypatch.setattr("acr_lightning.cli.run.run", refuse)
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert re.match(f"acr run: runs/a/last.ckpt: {advice}", said), said


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_what_continues_after_force_is_the_command_without_it(monkeypatch, capsys, stop):
    def refuse(*, force: bool = False):
        raise stop

    monkeypatch.setattr("acr_lightning.cli.run.run", refuse)
    main(["run", "--force"])
    [line] = capsys.readouterr().err.splitlines()
    assert re.search("the same command without --force (continues|goes on from there)$", line)


def write_elsewhere(item):
    Path(f"/nowhere/{item}").touch()


def in_loader_process():
    from torch.utils.data import DataLoader, Dataset

    class Photos(Dataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            write_elsewhere(index)

    return list(DataLoader(Photos(), num_workers=1))


def in_pool():
    return list(map_in_pool(write_elsewhere, ["0"], "work", workers=1))


def while_the_peer_is_sought():
    raise torch.distributed.DistNetworkError("Broken pipe")


def after_a_lost_peer():
    raise RuntimeError("[pair.cc:561] Connection closed by peer [127.0.0.1]:23261. This is typically caused by a crash")


def die(item):
    os.kill(os.getpid(), 9)


def killed_in_pool():
    return list(map_in_pool(die, ["0"], "work", workers=1))


@pytest.mark.parametrize(
    ("work", "line"),
    [
        (killed_in_pool, "acr run: a process of this command was killed (is there too little memory?); the same"),
        (in_loader_process, "acr run: /nowhere/0: No such file or directory; what was finished"),
        (in_pool, "acr run: /nowhere/0: No such file or directory; what was finished"),
        (while_the_peer_is_sought, "acr run: another process of this job has ended; its own message says why"),
        (after_a_lost_peer, "acr run: another process of this job has ended; its own message says why"),
    ],
)
def test_errors_of_other_processes_get_one_line(monkeypatch, capsys, work, line):
    monkeypatch.setattr("acr_lightning.cli.run.run", work)
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert "Traceback" not in said


def test_a_mistake_while_a_refusal_is_handled_is_not_taken_for_it(monkeypatch):
    def mistaken():
        try:
            write_elsewhere(0)
        except OSError:
            return {}["a mistake"]

    monkeypatch.setattr("acr_lightning.cli.run.run", mistaken)
    with pytest.raises(KeyError):
        main(["run"])


def test_an_error_that_names_no_number_is_not_the_systems():
    assert system_error(OSError("image file is truncated")) is None


@pytest.mark.parametrize(
    ("signum", "status", "line"), [(signal.SIGTERM, 143, "stopped by SIGTERM"), (signal.SIGINT, 130, "interrupted")]
)
def test_an_end_that_a_library_made_an_error_of_is_the_end(monkeypatch, capsys, signum, status, line):
    """Compiled code that calls back into Python, matplotlib's for one, raises an error of its own instead."""

    def compiled():
        try:
            os.kill(os.getpid(), signum)
        except (SystemExit, KeyboardInterrupt):
            raise ValueError("Invalid affine transformation matrix") from None

    monkeypatch.setattr("acr_lightning.cli.run.run", compiled)
    monkeypatch.setattr("acr_lightning.system.processes._came", [])
    assert main(["run"]) == status
    assert f"acr run: {line}; the same command continues" in capsys.readouterr().err
