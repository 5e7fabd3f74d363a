"""A disk that is full ends a command with one line, and what was finished before stays."""

import os
import resource

import torch

from acr_lightning.cli.main import main


def weights(run):
    return torch.load(run / "fit" / "last.ckpt", weights_only=True)["state_dict"]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tiny_fit, acr, started, tmp_path):
    run, words = tmp_path / "run", ["fit", "--config", str(tiny_fit)]
    checkpoint = run / "fit" / "last.ckpt"
    process = started(*words, until=checkpoint.exists)
    os.killpg(process.pid, 9)
    process.wait()
    before = checkpoint.read_bytes()
    limit = (len(before) // 2, resource.RLIM_INFINITY)
    full = acr(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert checkpoint.read_bytes() == before
    assert full.returncode == 2, full.stderr
    assert "Traceback" not in full.stderr
    assert full.stderr.splitlines()[-1].startswith(f"acr fit: {checkpoint}: File too large"), full.stderr
    assert main(words) == 0
    assert main([*words, f"--run={tmp_path / 'whole'}"]) == 0
    assert all(torch.equal(value, weights(run)[name]) for name, value in weights(tmp_path / "whole").items())
    assert not list((run / "fit").glob(".*"))
