import subprocess
import sys

import pytest

from acr_lightning.cli.main import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["konvert"], "no such command 'weights konvert'. Did you mean 'weights convert'?"),
        (["convert", "a.params"], "expected SOURCE TARGET, not 'a.params'"),
        (["convert", "a.params", "b.safetensors", "c"], "expected SOURCE TARGET, not 'a.params b.safetensors c'"),
        (["convert", "a.params", "b.safetensors", "--sha=1"], "--sha: no such option. Did you mean 'sha256'?"),
        (["convert", "a.params", "b.safetensors", "--check"], "--check: no such option"),
        (["convert", "a.params", "b.safetensors", "--config", "voc.yaml"], "--config: no such option"),
        (["convert", "a.params", "b.safetensors", "--sha256", "12ab"], "--sha256: 12ab is not 64 hexadecimal digits"),
        (["convert", "a.params", "b.pth"], "b.pth: the name must end in .safetensors"),
        (["convert", "a.params", "b.safetensors"], "a.params: cannot be read (No such file or directory)"),
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
