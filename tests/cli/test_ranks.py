"""`acr run` by a launcher that starts it several times: torchrun, and srun as SLURM's variables tell of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from commands import acr, start
from results import contents

from acr_lightning.artefacts.manifest import is_done
from acr_lightning.cli.main import main
from acr_lightning.system import launch, lock, processes
from torture.chain import SAME, STAGES, experiment_of_ranks
from torture.ranks import task


def begin(words):
    return [start(*words, env=task(rank, os.getpid())) for rank in (0, 1)]


def wait(tasks):
    """The statuses of tasks, and what they said."""
    end = time.monotonic() + 900
    while any(one.poll() is None for one in tasks):
        assert time.monotonic() < end, [one.err.read_text() for one in tasks]
        time.sleep(0.05)
    return [one.returncode for one in tasks], [one.communicate()[1] for one in tasks]


def until(is_true):
    end = time.monotonic() + 120
    while not is_true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def chain(tmp_path_factory):
    """An experiment whose results do not hang on how many processes there are, and what one process makes of it."""
    folder = tmp_path_factory.mktemp("chain")
    content = experiment_of_ranks(str(folder / "shapes"))
    for name in ("fit", "affinity_train", "segment"):
        content[name]["trainer"]["max_epochs"] = 1
    path = folder / "chain.yaml"
    path.write_text(yaml.safe_dump(content))
    done = acr("run", "--config", path, "--run", folder / "one")
    assert done.returncode == 0, done.stderr
    return path


def require_same(run, whole, stages=STAGES):
    """Check that a run has the files of another one, and its weights."""
    for stage in stages:
        files = [
            {path.relative_to(part): path for name in SAME for path in (part / stage).rglob(name)}
            for part in (whole, run)
        ]
        assert files[0].keys() == files[1].keys()
        assert [str(name) for name, path in files[0].items() if path.read_bytes() != files[1][name].read_bytes()] == []
        if (whole / stage / "last.ckpt").exists():
            one, two = (
                torch.load(part / stage / "last.ckpt", weights_only=True)["state_dict"] for part in (whole, run)
            )
            assert max(float((one[name] - two[name]).abs().max()) for name in one) < 1e-9
    assert not list(run.glob(".*.lock"))


@pytest.mark.timeout(1800)
def test_two_tasks_of_srun_make_the_chain_of_one_also_after_one_was_killed(chain, tmp_path):
    run = tmp_path / "run"
    words = ["run", "--config", chain, "--run", run]
    tasks = begin(words)
    until(lambda: (run / "fit" / "manifest.json").exists() or tasks[0].poll() is not None)
    os.killpg(tasks[1].pid, signal.SIGKILL)
    tasks[0].terminate()  # as srun does, where it is told to (--kill-on-bad-exit)
    statuses, said = wait(tasks)
    assert (statuses, "Traceback" in said[0]) == ([143, -9], False), said
    statuses, said = wait(begin(words))
    assert statuses == [0, 0], said
    require_same(run, chain.parent / "one")
    assert said[0].count("label: done, labels 12") == 1
    assert "label" not in said[1]
    assert not [line for one in said for line in one.splitlines() if "Error" in line or "[W" in line]
    # Nothing is left to do, and both see that.
    statuses, said = wait(begin(words))
    assert statuses == [0, 0]
    assert (said[0].count("done before"), said[1]) == (len(STAGES), "")


def test_torchrun_makes_the_same(chain, tmp_path):
    """Stages of all ranks before and after one of the first rank; `--run` is not torchrun's own behind `--`."""
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--no-python",
        "--",
    ]
    words += [str(Path(sys.executable).with_name("acr")), "run", "--config", str(chain), f"--run={tmp_path / 'run'}"]
    done = subprocess.run([*words, "--stages=fit,cam,affinity_labels"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    require_same(tmp_path / "run", chain.parent / "one", ["fit", "cam", "affinity_labels"])


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_a_rank_that_waits_for_the_first(tmp_path, monkeypatch, capsys, signum):
    """It comes as soon as there is something to wait for, and no second one is needed."""
    path, looks = tmp_path / "chain.yaml", []
    path.write_text(yaml.safe_dump(experiment_of_ranks(str(tmp_path / "shapes"))))

    def look(seconds):
        looks.append(seconds)
        os.kill(os.getpid(), signum)
        assert len(looks) < 3, "it is not heard"

    with socket.socket() as nobody:  # has a port, and does not answer there
        nobody.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(nobody.getsockname()[1])}
        for name, value in {**task(1, os.getpid()), **place}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(processes, "_came", [])
        monkeypatch.setattr(launch, "time", SimpleNamespace(monotonic=time.monotonic, sleep=look))
        assert main(["run", "--config", str(path), f"--run={tmp_path / 'run'}"]) == 143
    assert len(looks) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "acr run: stopped by SIGTERM; the same command continues"


def test_a_rank_ends_when_the_first_one_has_failed(chain, tmp_path):
    (tmp_path / "run" / "fit").mkdir(parents=True)
    (tmp_path / "run" / "fit" / "mine.txt").touch()
    statuses, said = wait(begin(["run", "--config", chain, "--run", tmp_path / "run", "--stages=fit"]))
    assert statuses == [2, 2]
    assert "fit is there, and no stage made it" in said[0]
    assert "another process of this job has ended; its own message says why" in said[1]


def test_a_job_of_several_tasks_without_srun_is_told_what_to_write(chain, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    for words in (["run"], ["run", "--check"]):
        assert main([*words, "--config", str(chain)]) == 2
        said = "acr run: this job of SLURM has 4 tasks; write `srun acr …` to start all of them"
        assert capsys.readouterr().err.splitlines()[-1] == said


@pytest.mark.parametrize("stage", ["label", "affinity_labels"])
def test_each_shard_of_many_tasks_is_a_job_by_itself(chain, tmp_path, monkeypatch, capsys, stage):
    """The one that ends last ends the stage, whichever rank it has.

    Its threshold is that of all CAMs, from their histogram or, where there is none, from themselves.
    """
    plain = tmp_path / "plain"
    shutil.copytree(chain.parent / "one" / "cam", plain / "cam")
    (plain / "cam" / "cams" / "histogram.json").unlink()
    words = [stage, "--config", str(chain)]
    words += ["--affinity=null"] if stage == "label" else ["--strong_threshold=auto", "--weak_threshold=auto"]
    assert main([*words, f"--run={plain}"]) == 0
    capsys.readouterr()
    words += [f"--run={tmp_path / 'run'}", f"--from.cam={chain.parent / 'one'}"]
    monkeypatch.setattr("acr_lightning.artefacts.cam_histogram.read_cam", None)  # none is read for the threshold
    for rank in (0, 1):
        for name, value in task(rank, os.getpid()).items():
            monkeypatch.setenv(name, value)
        assert main([*words, f"--shard={rank + 1}/2"]) == 0
    photos = 12 if stage == "label" else 8  # of the split train alone
    first, second = capsys.readouterr().err.split(f"{stage}: shard 1/2 is done; {photos // 2} photos are left")
    assert f"{stage}: done" not in first
    assert f"{stage}: done, labels {photos}" in second
    one, two = plain / stage, tmp_path / "run" / stage
    assert contents(two / "labels") == contents(one / "labels")
    assert contents(two, "threshold.json") == contents(one, "threshold.json")
    counts = [json.loads((run / "manifest.json").read_text())["counts"] for run in (one, two)]
    assert counts[0] == counts[1]


def test_a_shard_of_a_machine_that_died_is_taken_over_and_ended(chain, tmp_path, monkeypatch):
    """Under its name a process held the shard's lease; a label was made by then, and one is half of one by now."""
    run, whole = tmp_path / "run", chain.parent / "one" / "label" / "labels"
    words = ["label", "--config", str(chain), f"--run={run}"]
    words += [f"--from.{stage}={chain.parent / 'one'}" for stage in ("cam", "affinity_walk")]
    assert main([*words, "--shard=2/2"]) == 0
    half, *_ = sorted((run / "label" / "labels").iterdir())
    half.write_bytes(half.read_bytes()[:20])
    script = "import socket; socket.gethostname = lambda: 'node12'\nfrom pathlib import Path\n"
    script += "from acr_lightning.system import lock\nlock.LEASE, lock.BEAT = 3.0, 1.0\n"
    script += f"with lock.folder_lock(Path({str(run / 'label')!r}), '1/2'): print(flush=True); input()"
    dead = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    dead.stdout.readline()
    dead.kill()
    dead.communicate()
    assert "host=node12" in (run / ".label.1-of-2.lock").read_text()
    monkeypatch.setattr(lock, "LEASE", 3.0)
    monkeypatch.setattr(lock, "BEAT", 1.0)
    assert main([*words, "--shard=1/2"]) == 0
    assert is_done(run / "label")
    assert not list(run.glob(".*.lock"))
    assert [name for name, label in contents(run / "label" / "labels").items() if label != contents(whole)[name]] == [
        half.name
    ]
