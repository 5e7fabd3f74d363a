"""A checkpoint may come from anyone: Lightning's own commands take nothing but weights from it."""

import functools
import os
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from acr_lightning.cli.main import main


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A file that is not there; importing `stranger` leaves it."""
    (tmp_path / "stranger.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "ran"
    sys.modules.pop("stranger", None)


@pytest.fixture
def boring(tmp_path):
    """The words of Lightning's `test`, and what its checkpoint holds."""
    from lightning.pytorch import Trainer
    from lightning.pytorch.demos.boring_classes import BoringModel

    trainer = Trainer(accelerator="cpu", devices=1, logger=False, enable_checkpointing=False, max_epochs=0)
    trainer.fit(BoringModel())
    trainer.save_checkpoint(tmp_path / "boring.ckpt")
    place = "lightning.pytorch.demos.boring_classes"
    words = ["test", "--model", f"{place}.BoringModel", "--data", f"{place}.BoringDataModule"]
    words += ["--trainer.accelerator=cpu", "--trainer.logger=false", "--trainer.limit_test_batches=1"]
    return words, torch.load(tmp_path / "boring.ckpt", weights_only=True)


def test_a_checkpoint_names_no_class_to_lightnings_own_commands(tmp_path, ran, boring):
    words, checkpoint = boring
    torch.save({**checkpoint, "hyper_parameters": {"_class_path": "stranger.Model"}}, tmp_path / "stranger.ckpt")
    assert main([*words, f"--ckpt_path={tmp_path}/stranger.ckpt"]) == 0
    assert not ran.exists()


class Command:
    """Pickled, a command that leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_checkpoint_from_a_url_runs_nothing(tmp_path, ran, boring, monkeypatch, capsys):
    words, checkpoint = boring
    torch.save({**checkpoint, "more": Command(ran)}, tmp_path / "stranger.ckpt")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert main([*words, f"--ckpt_path=http://127.0.0.1:{server.server_port}/stranger.ckpt"]) == 2
        server.shutdown()
    assert "add --weights_only=false" in capsys.readouterr().err
    assert not ran.exists()
