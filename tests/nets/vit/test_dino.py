"""DINOv2 and DINOv3 as backbones: any patch and size, timm's files and Meta's own; tiny ones of random weights."""

from collections import deque
from functools import partial

import pytest
import timm
import torch
from lightning.pytorch import Trainer
from timm.models import eva, register_model, vision_transformer
from timm.models._pretrained import DefaultCfg, PretrainedCfg
from torch.nn import functional as F

from acr_lightning.data.datamodule import LabelledCrops, TaggedCrops
from acr_lightning.errors import UserError
from acr_lightning.methods.plain.module import Plain
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.frozen_classifier import FrozenClassifier
from acr_lightning.segment.segmenter import Segmenter
from acr_lightning.training.optimisation import OptimizerSettings

SIZES = {"embed_dim": 48, "depth": 3, "num_heads": 3}
V2 = {"patch_size": 14, "img_size": 70, "init_values": 1e-5, **SIZES}
V3 = {
    "patch_size": 16, "img_size": 64, "dynamic_img_size": True, "qkv_bias": False, "init_values": 1e-5,
    "rope_type": "dinov3", "rope_temperature": 100, "rope_rotate_half": True, "use_rot_pos_emb": True,
    "use_abs_pos_emb": False, "num_reg_tokens": 4, "use_fc_norm": False, **SIZES,
}  # fmt: skip
MODELS = {
    "tiny_dinov2": (vision_transformer, V2),
    "tiny_reg4_dinov2": (vision_transformer, {**V2, "reg_tokens": 4, "no_embed_class": True}),
    "tiny_dinov3": (eva, V3),
    "tiny_dinov3_qkvb": (eva, {**V3, "qkv_bias": True}),
}


def create(name, pretrained=False, **options):
    module, arguments = MODELS[name]
    make = module._create_eva if module is eva else module._create_vision_transformer
    return make(name, pretrained=pretrained, **{**arguments, **options})


@pytest.fixture(scope="module", autouse=True)
def _registered():
    for name, (module, arguments) in MODELS.items():
        size = arguments["img_size"]
        config = PretrainedCfg(input_size=(3, size, size), classifier="head", first_conv="patch_embed.proj")
        module.default_cfgs[name] = DefaultCfg(deque([""]), {"": config})
        entry = partial(create, name)
        entry.__name__, entry.__module__ = name, module.__name__
        register_model(entry)


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


def filled(name):
    """Of random weights that are not small anywhere."""
    torch.manual_seed(1)
    model = timm.create_model(name, num_classes=0)
    with torch.no_grad():
        for one in model.parameters():
            one.add_(torch.randn_like(one) * 0.2)
    return model.eval()


def of_meta(name, state):
    """The same tensors as Meta writes them."""
    state = {key: value.clone() for key, value in state.items()} | {"mask_token": torch.zeros(1, 48)}
    if "reg4" in name:
        state["register_tokens"] = state.pop("reg_token")
        state["pos_embed"] = torch.cat([torch.full((1, 1, 48), 0.5), state["pos_embed"]], dim=1)
        state["cls_token"] = state["cls_token"] - 0.5
    if "dinov3" in name:
        state["storage_tokens"] = state.pop("reg_token")
        state["rope_embed.periods"] = torch.ones(4)
        for at in range(3):
            block, zeros = f"blocks.{at}.", torch.zeros(48)
            q, v = (state.pop(f"{block}attn.{one}_bias", zeros) for one in "qv")
            state[f"{block}attn.qkv.bias"] = torch.cat([q, torch.full((48,), 9.0), v])
            state[f"{block}attn.qkv.bias_mask"] = torch.ones(144)
            for one in "12":
                state[f"{block}ls{one}.gamma"] = state.pop(f"{block}gamma_{one}")
    return state


def test_timm_s_file_and_meta_s_are_the_same_network(name, tmp_path, capsys):
    model = filled(name)
    files = {"timm": model.state_dict(), "meta": of_meta(name, model.state_dict())}
    patch = model.patch_embed.patch_size[0]
    image = torch.randn(2, 3, 4 * patch, 6 * patch)  # of another size than the positions were learned at
    model = timm.create_model(name, num_classes=0, dynamic_img_size=True)
    model.load_state_dict(files["timm"])
    prefix = model.num_prefix_tokens
    wanted = model.eval().forward_features(image)[:, prefix:].transpose(1, 2).unflatten(2, (4, 6))
    for kind, state in files.items():
        torch.save(state, tmp_path / f"{kind}.pth")
        backbone = Backbone(name, str(tmp_path / f"{kind}.pth")).eval()
        torch.testing.assert_close(backbone.maps(image)[-1], wanted, msg=kind)
        assert (backbone.multiple, backbone.strides) == (patch, [patch] * 3)
    assert not capsys.readouterr().out
    odd = torch.randn(1, 3, 3 * patch - 5, 2 * patch + 3)
    resized = F.interpolate(odd, (3 * patch, 2 * patch), mode="bilinear", align_corners=False)
    assert torch.equal(backbone.maps(odd)[-1], backbone.maps(resized)[-1])


def test_files_of_other_networks_are_refused(tmp_path):
    def file(state):
        torch.save(state, tmp_path / "weights.pth")
        return str(tmp_path / "weights.pth")

    biases = of_meta("tiny_dinov3_qkvb", filled("tiny_dinov3_qkvb").state_dict())
    with pytest.raises(UserError, match=r"has biases, which the backbone whose name ends in _qkvb takes"):
        Backbone("tiny_dinov3", file(biases))
    registers = of_meta("tiny_reg4_dinov2", filled("tiny_reg4_dinov2").state_dict())
    with pytest.raises(UserError, match="does not fit tiny_dinov2"):
        Backbone("tiny_dinov2", file(registers))
    with pytest.raises(UserError, match="does not fit resnet18"):
        Backbone("resnet18", file(registers))
    other = {**registers, "patch_embed.proj.weight": torch.zeros(48, 3, 16, 16)}
    with pytest.raises(UserError, match=r"patch_embed.proj.weight is \[48, 3, 16, 16\], not \[48, 3, 14, 14\]"):
        Backbone("tiny_reg4_dinov2", file(other))
    (tmp_path / "damaged.pth").write_bytes((tmp_path / "weights.pth").read_bytes()[:-3000])
    with pytest.raises(UserError, match=r"damaged.pth is not a weights file"):
        Backbone("tiny_reg4_dinov2", str(tmp_path / "damaged.pth"))


def trainer(folder):
    return Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        enable_model_summary=False, max_epochs=1, limit_train_batches=2, default_root_dir=folder,
    )  # fmt: skip


@pytest.mark.parametrize("crop", [48, 56])
def test_frozen_it_trains_a_classifier_and_a_segmentation_network(name, crop, shapes, tmp_path):
    torch.save(filled(name).state_dict(), tmp_path / "weights.pth")
    weights, adamw = str(tmp_path / "weights.pth"), OptimizerSettings("adamw", lr=1e-3)
    classifier = FrozenClassifier(4, name, weights)
    segmenter = Segmenter(
        4, name, weights, output_stride=None, freeze_backbone=True, head="linear", optimizer=adamw
    )  # fmt: skip
    data = {"crop": crop, "batch_size": 4, "num_workers": 0}
    for module, network, batches in (
        (Plain(classifier, optimizer=adamw), classifier, TaggedCrops(shapes, long_side=(56, 64), **data)),
        (segmenter, segmenter.network, LabelledCrops(shapes, "masks", **data)),
    ):
        before = {key: value.clone() for key, value in network.state_dict().items()}
        trainer(tmp_path).fit(module, batches)
        moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
        assert moved
        assert not any(key.startswith("backbone.") for key in moved)
    assert segmenter.eval().network(torch.rand(1, 3, 50, 61)).isfinite().all()
