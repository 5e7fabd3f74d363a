"""The proof of the GPU path, as far as a CPU goes: what fails, dies or finds no time is a row, and the rest runs."""

import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "gpu"))
from cases import methods, photo_batch

from benchmarks.gpu_proof import __main__ as proof
from benchmarks.gpu_proof import ddp, walk
from benchmarks.gpu_proof.row import judged
from benchmarks.gpu_proof.training import train
from benchmarks.gpu_proof.waits import Waits, held_to_the_list


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A function that runs checks on the CPU: exit status, verdicts by row, and what is printed."""

    def start(*words):
        monkeypatch.setattr(sys, "argv", ["gpu_proof", "--device=cpu", f"--output={tmp_path}", *words])
        status = proof.main()
        rows = json.loads((tmp_path / "proof.json").read_text())["rows"]
        return status, {row["what"]: row["verdict"] for row in rows}, capsys.readouterr().out

    return start


def test_checks_that_a_cpu_can_do(run):
    status, rows, printed = run("--only", "walk", "ddp")
    assert status == 0
    assert rows == {"a walk in 64 bits": "passed", "a walk in 32 bits": "passed", "one process by gloo": "passed"}
    assert "figure gpu_proof.passed 3\n" in printed
    assert "figure gpu_proof.walk.64.ms " in printed


def dies(device):
    yield judged("before it died", True, "")
    os.kill(os.getpid(), 9)


def raises(device):
    yield judged("before it died", True, "")
    raise ValueError("something odd")


@pytest.mark.parametrize("end", [dies, raises])
def test_one_that_dies_is_a_row_and_the_next_one_runs(run, monkeypatch, end):
    monkeypatch.setattr(walk, "check", end)
    monkeypatch.setattr(ddp, "check", lambda device: [judged("the next", True, "")])
    status, rows, printed = run("--only", "walk", "ddp")
    assert status == 1
    assert rows == {"before it died": "passed", "all of walk": "FAILED", "the next": "passed"}
    assert ("something odd" in printed) == (end is raises)


def test_one_that_finds_no_time_has_failed(run):
    status, rows, _ = run("--only", "walk", "--minutes=0")
    assert (status, rows) == (1, {"all of walk": "FAILED"})


def test_waits_are_those_of_the_second_batch_by_who_waits(tmp_path):
    module, waits = methods(tmp_path)["plain"](), Waits()
    leave_out = module.nonfinite.leave_out

    def waiting(*arguments):
        warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("of something else", stacklevel=1)
        leave_out(*arguments)

    module.nonfinite.leave_out = waiting
    train(module, [photo_batch(), photo_batch()], "cpu", waits)
    assert waits.counted == {"alternating.update": 1}


def test_only_listed_waits_pass():
    assert held_to_the_list("ACR", Counter({"alternating.update": 2, "module.draw": 1})).verdict == "passed"
    for beyond in ({"alternating.update": 3}, {"loss.balanced": 1}):
        assert held_to_the_list("ACR", Counter(beyond)).verdict == "FAILED"
