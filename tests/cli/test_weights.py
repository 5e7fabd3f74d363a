import subprocess
import sys

import pytest

from acr_lightning.cli.main import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chekc"], "no such command 'weights chekc'. Did you mean 'weights check'?"),
        (["mctformer", "a.pth"], "expected SOURCE TARGET, not 'a.pth'"),
        (["mctformer", "a.pth", "b.ckpt", "c"], "expected SOURCE TARGET, not 'a.pth b.ckpt c'"),
        (["mctformer", "a.pth", "b.ckpt", "--forse"], "--forse: no such option. Did you mean 'force'?"),
        (["mctformer", "a.pth", "b.ckpt", "--check"], "--check: no such option"),
        (["mctformer", "a.pth", "b.ckpt", "--config", "voc.yaml"], "--config: no such option"),
        (["mctformer", "a.pth", "b.ckpt"], "weights: no file a.pth, nor a run"),
        (["check", "a.pth", "--backbone=resnet38d"], "weights: no file a.pth, nor a run"),
    ],
)
def test_wrong_command_lines(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["weights", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_new_process_that_checks_weights_knows_the_own_backbones():
    """The tests' processes have imported everything, and so registered what `acr weights check` alone might not."""
    code = "import timm, acr_lightning.nets.weights; print(timm.is_model('resnet38d'), timm.is_model('tiny_resnet'))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"], done.stderr
