import subprocess
import sys

import timm
import torch

from acr_lightning.nets.vit.mctformer import MCTFormer


def test_a_new_process_that_checks_weights_knows_the_own_backbone():
    """The tests' processes have imported everything, and so registered what this module alone might not."""
    code = "import timm, acr_lightning.nets.weights; print(timm.is_model('resnet38d'))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


def test_of_deits_file_the_classifier_is_left(tmp_path):
    state = timm.create_model("deit_tiny_patch16_224").state_dict()
    torch.save({"model": state}, tmp_path / "deit.pth")
    network = MCTFormer(3, "deit_tiny_patch16_224", weights=str(tmp_path / "deit.pth"))
    for copy in network.class_tokens[0]:
        torch.testing.assert_close(copy, state["cls_token"][0, 0])
