"""Files in the layout of MCTformer's authors."""

import os

import pytest
import torch

from acr_lightning.nets.checkpoint import load_network
from acr_lightning.nets.classifier import Classifier
from acr_lightning.nets.vit.mctformer import MCTFormer
from tools.convert_mctformer import main as convert

K = 3


def published(plus):
    """A classifier, and its weights under its authors' names."""
    network = MCTFormer(
        K, "deit_tiny_patch16_224", **({"layers": None, "fusion": "root", "pooling": "rank"} if plus else {})
    ).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    state = {name.removeprefix("vit."): tensor for name, tensor in network.state_dict().items()}
    tokens, classes, patches = (state.pop(name) for name in ("class_tokens", "class_positions", "patch_positions"))
    weight, bias = state.pop("classify.weight"), state.pop("classify.bias")
    state |= {"cls_token": tokens, "head.weight": weight, "head.bias": bias}
    state |= (
        {"pos_embed_cls": classes, "pos_embed_pat": patches}
        if plus
        else {"pos_embed": torch.cat([classes, patches], 1)}
    )
    return network, state


@pytest.mark.parametrize("plus", [False, True])
def test_a_published_mctformer_makes_the_same_cams(tmp_path, capsys, plus):
    network, state = published(plus)
    torch.save({"model": {**state, "head_dist.weight": torch.zeros(2)}, "epoch": 59}, tmp_path / "mct.pth")
    assert convert([str(tmp_path / "mct.pth"), str(tmp_path / "mct.ckpt")]) == 0
    assert f"{len(state)} tensors are used; not used: head_dist.weight" in capsys.readouterr().out
    image = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(
            load_network(tmp_path / "mct.ckpt", Classifier, "acr fit").cam(image), network.cam(image)
        )
    assert convert([str(tmp_path / "mct.pth"), str(tmp_path / "mct.ckpt")]) == 2


def test_what_is_no_mctformer_or_half_of_one_is_refused(tmp_path, capsys):
    _, state = published(plus=False)
    del state["blocks.3.attn.qkv.weight"]
    torch.save({"model": state}, tmp_path / "half.pth")
    torch.save({"model": {"cls_token": torch.zeros(1, 1, 5)}}, tmp_path / "other.pth")
    for name, message in (
        ("half", "1 of 153 tensors are missing, the first is vit.blocks.3.attn.qkv.weight"),
        ("other", "holds no MCTformer"),
    ):
        assert convert([str(tmp_path / f"{name}.pth"), str(tmp_path / "new.ckpt")]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "new.ckpt").exists()


def test_what_is_no_file_is_not_replaced(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    assert convert([str(tmp_path / "gone.pth"), str(tmp_path / "pipe"), "--force"]) == 2
    assert "pipe: is a pipe, which is never replaced" in capsys.readouterr().err
