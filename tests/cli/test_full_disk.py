"""A disk that is full ends a command with one line, and what was finished before stays."""

import os
import resource
from contextlib import contextmanager

import torch

from acr_lightning.cli.main import main


def weights(run):
    return torch.load(run / "fit" / "last.ckpt", weights_only=True)["state_dict"]


@contextmanager
def no_file_larger_than(size):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(config, started, tmp_path, capfd):
    run, words = tmp_path / "run", ["fit", "--config", str(config)]
    checkpoint = run / "fit" / "last.ckpt"
    process = started(*words, until=checkpoint.exists)
    os.killpg(process.pid, 9)
    process.wait()
    before = checkpoint.read_bytes()
    with no_file_larger_than(len(before) // 2):
        assert main(words) == 2
    assert checkpoint.read_bytes() == before
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(f"acr fit: {checkpoint}: File too large"), said
    assert main(words) == 0
    assert main([*words, f"--run={tmp_path / 'whole'}"]) == 0
    assert all(torch.equal(value, weights(run)[name]) for name, value in weights(tmp_path / "whole").items())
    assert not list((run / "fit").glob(".*"))


def test_every_stage_goes_on_when_there_is_space_again(config, tmp_path, capfd):
    """A CAM, and a pseudo-label of a process of the pool, that are larger than what may be written."""
    words = ["--config", str(config)]
    assert main(["fit", *words, "--trainer.max_epochs=1"]) == 0
    for stage, folder in (("cam", "cams"), ("label", "labels")):
        results = tmp_path / "run" / stage / folder
        assert main([stage, *words]) == 0
        whole = sorted(path for path in results.iterdir() if path.suffix != ".json")
        assert len(whole) == 22
        too_small = max(path.stat().st_size for path in whole[::2]) - 1
        for path in whole[::2]:
            path.unlink()
        capfd.readouterr()
        with no_file_larger_than(too_small):
            assert main([stage, *words]) == 2
        said = capfd.readouterr().err
        assert f"acr {stage}: {results}/" in said
        assert "File too large; allow larger files (ulimit -f); what was finished before is kept" in said
        assert "Traceback" not in said
        kept = {path: path.stat().st_mtime_ns for path in results.iterdir() if path.suffix != ".json"}
        assert 11 <= len(kept) < 22
        assert main([stage, *words]) == 0
        assert sorted(path for path in results.iterdir() if path.suffix != ".json") == whole
        assert kept.items() <= {path: path.stat().st_mtime_ns for path in results.iterdir()}.items()
