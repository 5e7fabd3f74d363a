import subprocess
import sys

import pytest
import timm
import torch

from acr_lightning.cli.main import main
from acr_lightning.nets.vit.mctformer import MCTFormer


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["chekc"], "no such command 'weights chekc'. Did you mean 'weights check'?"),
        (["check"], "missing a required argument: 'file'; usage: acr weights check FILE"),
        (["check", "a.pth", "b.pth"], "too many positional arguments; usage: acr weights check FILE"),
        (["check", "a.pth", "--bakbone=x"], "--bakbone: no such option. Did you mean 'backbone'?"),
        (["check", "a.pth", "--config", "voc.yaml"], "--config: no such option"),
        (["check", "a.pth", "--backbone=resnet38d"], "weights: no file a.pth, nor a run"),
    ],
)
def test_wrong_command_lines(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["weights", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_new_process_that_checks_weights_knows_the_own_backbone():
    """The tests' processes have imported everything, and so registered what `acr weights check` alone might not."""
    code = "import timm, acr_lightning.nets.weights; print(timm.is_model('resnet38d'))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


def test_of_deits_file_the_classifier_is_left(tmp_path, capsys):
    state = timm.create_model("deit_tiny_patch16_224").state_dict()
    torch.save({"model": state}, tmp_path / "deit.pth")
    assert main(["weights", "check", str(tmp_path / "deit.pth"), "--backbone", "deit_tiny_patch16_224"]) == 0
    assert f"{len(state) - 2} tensors are used; not used: head.weight, head.bias" in capsys.readouterr().out
    assert main(["weights", "check", str(tmp_path / "deit.pth"), "--backbone", "deit_small_patch16_224"]) == 2
    assert "does not fit deit_small_patch16_224" in capsys.readouterr().err
    network = MCTFormer(3, "deit_tiny_patch16_224", weights=str(tmp_path / "deit.pth"))
    for copy in network.class_tokens[0]:
        torch.testing.assert_close(copy, state["cls_token"][0, 0])
