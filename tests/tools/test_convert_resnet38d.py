"""Against MXNet's names and layers, written out here; the network is a narrow copy, with the real one's names."""

import hashlib
import os

import numpy as np
import pytest
import timm
import torch
from mxnet_format import write
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from timm.models import register_model
from torch.nn import functional as F

from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.resnet38d import resnet38d
from tools import convert_resnet38d
from tools.convert_resnet38d import convert, main, mxnet_name, named_tensors, tensor_shapes

WIDTH = 2
# Unit: channels in multiples of the stem's (in, after each convolution), kernels, stride, dilation of each convolution.
PLAIN, BOTTLENECK = (3, 3), (1, 3, 1)
UNITS = {
    "2a": ((1, 2, 2), PLAIN, 2, (1, 1)),
    "2b1": ((2, 2, 2), PLAIN, 1, (1, 1)),
    "2b2": ((2, 2, 2), PLAIN, 1, (1, 1)),
    "3a": ((2, 4, 4), PLAIN, 2, (1, 1)),
    "3b1": ((4, 4, 4), PLAIN, 1, (1, 1)),
    "3b2": ((4, 4, 4), PLAIN, 1, (1, 1)),
    "4a": ((4, 8, 8), PLAIN, 2, (1, 1)),
    "4b1": ((8, 8, 8), PLAIN, 1, (1, 1)),
    "4b2": ((8, 8, 8), PLAIN, 1, (1, 1)),
    "4b3": ((8, 8, 8), PLAIN, 1, (1, 1)),
    "4b4": ((8, 8, 8), PLAIN, 1, (1, 1)),
    "4b5": ((8, 8, 8), PLAIN, 1, (1, 1)),
    "5a": ((8, 8, 16), PLAIN, 1, (1, 2)),
    "5b1": ((16, 8, 16), PLAIN, 1, (2, 2)),
    "5b2": ((16, 8, 16), PLAIN, 1, (2, 2)),
    "6a": ((16, 8, 16, 32), BOTTLENECK, 1, (1, 4, 1)),
    "7a": ((32, 16, 32, 64), BOTTLENECK, 1, (1, 4, 1)),
}
BRANCHES = ("branch2a", "branch2b1", "branch2b2")


def mxnet_shapes(width, classes):
    """The arrays of MXNet's file: name and shape."""
    shapes = {"arg:conv1a_weight": (width, 3, 3, 3)}

    def batchnorm(name, channels):
        for array in ("arg:{}_gamma", "arg:{}_beta", "aux:{}_moving_mean", "aux:{}_moving_var"):
            shapes[array.format(name)] = (channels,)

    for unit, (multiples, kernels, _, _) in UNITS.items():
        channels = [width * multiple for multiple in multiples]
        for branch, before, after, kernel in zip(BRANCHES, channels, channels[1:], kernels, strict=False):
            batchnorm(f"bn{unit}_{branch}", before)
            shapes[f"arg:res{unit}_{branch}_weight"] = (after, before, kernel, kernel)
        if unit.endswith("a"):
            shapes[f"arg:res{unit}_branch1_weight"] = (channels[-1], channels[0], 1, 1)
    batchnorm("bn7", 64 * width)
    return {**shapes, "arg:linear1000_weight": (classes, 64 * width), "arg:linear1000_bias": (classes,)}


def forward(arrays, image):
    """Model A1 as `util/symbol/resnet_v2.py` of itijyou/ademxapp has it, at 1/8 of the image: five maps and logits."""
    tensors = {name.partition(":")[2]: torch.from_numpy(array.copy()) for name, array in arrays.items()}

    def activated(name, x):
        gamma, beta, mean, var = (
            tensors[f"{name}_{part}"].view(1, -1, 1, 1) for part in ("gamma", "beta", "moving_mean", "moving_var")
        )
        return ((x - mean) / (var + 1e-5).sqrt() * gamma + beta).clamp(min=0)

    def convolved(name, x, stride=1, dilation=1):
        weight = tensors[f"{name}_weight"]
        return F.conv2d(x, weight, None, stride, dilation * (weight.shape[-1] // 2), dilation)

    taken = {}
    x = convolved("conv1a", image)
    for unit, (_, _, stride, dilations) in UNITS.items():
        taken[unit] = out = activated(f"bn{unit}_branch2a", x)
        for index, (branch, dilation) in enumerate(zip(BRANCHES, dilations, strict=False)):
            if index:
                out = activated(f"bn{unit}_{branch}", out)
            out = convolved(f"res{unit}_{branch}", out, stride if index == 0 else 1, dilation)
        x = out + (convolved(f"res{unit}_branch1", taken[unit], stride) if unit.endswith("a") else x)
    features = activated("bn7", x)
    logits = features.mean((2, 3)) @ tensors["linear1000_weight"].T + tensors["linear1000_bias"]
    return [*(taken[unit] for unit in ("3a", "4a", "5a", "6a")), features], logits


@register_model
def resnet38d_narrow(pretrained=False, **kwargs):
    return resnet38d(pretrained, width=WIDTH, **kwargs)


@pytest.fixture
def arrays(rng):
    made = {}
    for name, shape in mxnet_shapes(WIDTH, 1000).items():
        # Variances are positive; with gammas near 1 the numbers neither vanish nor explode on their way.
        values = rng.uniform(0.5, 1.5, shape) if name.endswith(("var", "gamma")) else rng.normal(0, 0.3, shape)
        made[name] = values.astype(np.float32)
    return made


@pytest.fixture
def params(arrays, tmp_path):
    return write(tmp_path / "narrow.params", arrays)


def test_every_array_of_the_real_file_has_its_tensor():
    found = {mxnet_name(key): shape for key, shape in tensor_shapes("resnet38d").items()}
    assert found == mxnet_shapes(64, 1000)
    assert len(found) == 193
    assert tensor_shapes("resnet38d_acr") == tensor_shapes("resnet38d")


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("stem.weight", "arg:conv1a_weight"),
        ("stage2.0.bn1.running_mean", "aux:bn2a_branch2a_moving_mean"),
        ("stage4.5.conv2.weight", "arg:res4b5_branch2b1_weight"),
        ("stage5.0.shortcut.weight", "arg:res5a_branch1_weight"),
        ("stage7.bn3.weight", "arg:bn7a_branch2b2_gamma"),
        ("norm.bias", "arg:bn7_beta"),
        ("fc.bias", "arg:linear1000_bias"),
    ],
)
def test_names(key, name):
    assert mxnet_name(key) == name


@pytest.mark.parametrize("version", [0, 2])
def test_converted_network_computes_what_mxnets_does(arrays, tmp_path, version):
    source, target = write(tmp_path / "a.params", arrays, version=version, device=(2, 0)), tmp_path / "a.safetensors"
    convert(source, target, architecture="resnet38d_narrow")
    image = torch.randn(2, 3, 45, 38)
    maps, logits = forward(arrays, image)
    backbone = Backbone("resnet38d_narrow", str(target)).eval()
    classifier = timm.create_model(
        "resnet38d_narrow", pretrained=True, pretrained_cfg_overlay={"file": str(target)}
    ).eval()
    with torch.no_grad():
        assert torch.allclose(classifier(image), logits, rtol=1e-4, atol=1e-4 * logits.abs().max())
        for found, wanted in zip(backbone.net(image), maps, strict=True):
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-4 * wanted.abs().max())
        assert all(torch.equal(one, two) for one, two in zip(backbone(image), backbone.net(image)[2:], strict=True))


def test_what_is_written(params, arrays, tmp_path):
    target = tmp_path / "new" / "narrow.safetensors"
    md5 = hashlib.md5(params.read_bytes()).hexdigest()
    assert convert(params, target, architecture="resnet38d_narrow") == md5
    with safe_open(target, "numpy") as file:
        metadata = file.metadata()
        assert len(metadata.pop("tensors_sha256")) == 64
        assert metadata == {
            "format": "pt", "architecture": "resnet38d_narrow", "source": "narrow.params", "source_md5": md5,
        }  # fmt: skip
        assert len(file.keys()) == len(arrays)
        assert np.array_equal(file.get_tensor("stage6.conv2.weight"), arrays["arg:res6a_branch2b1_weight"])
    assert [path.name for path in target.parent.iterdir()] == ["narrow.safetensors"]


def test_a_flipped_byte_of_a_weights_file_is_found(params, tmp_path):
    target = tmp_path / "narrow.safetensors"
    convert(params, target, architecture="resnet38d_narrow")
    Backbone("resnet38d_narrow", str(target))
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    with pytest.raises(UserError, match=r"narrow\.safetensors is damaged \(its checksum is wrong\); convert or copy"):
        Backbone("resnet38d_narrow", str(target))
    save_file(load_file(target), target)  # another program's file carries no checksum
    Backbone("resnet38d_narrow", str(target))


def without(arrays, name):
    return {key: value for key, value in arrays.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: without(a, "aux:bn7_moving_var"), "1 of 193 arrays are missing: 'aux:bn7_moving_var'"),
        (lambda a: without(a, "arg:linear1000_bias"), "missing: 'arg:linear1000_bias'"),
        (lambda a: {**a, "arg:fc_new": np.ones(1, np.float32)}, "1 arrays too many: 'arg:fc_new'"),
        (lambda a: {**a, "arg:bn7_beta": np.ones(5, np.float32)}, r"arg:bn7_beta is \[5\], not \[128\]"),
        (lambda a: {**a, "arg:bn7_beta": np.ones(128)}, "arg:bn7_beta is float64, not float32"),
        (lambda a: {**a, "arg:bn7_beta": np.full(128, np.nan, np.float32)}, "damaged: arg:bn7_beta has values"),
        (lambda a: {**a, "arg:bn7_beta": np.full(128, -np.inf, np.float32)}, "damaged: arg:bn7_beta has values"),
        (
            lambda a: {name.removeprefix("arg:"): value for name, value in a.items()},
            "119 of 193 arrays are missing: 'arg:conv1a_weight', .*, …",
        ),
        (lambda a: {}, "193 of 193 arrays are missing"),
    ],
)
def test_another_networks_arrays_are_refused(arrays, tmp_path, change, message):
    source, target = write(tmp_path / "a.params", change(arrays)), tmp_path / "a.safetensors"
    with pytest.raises(UserError, match=rf"^{source}: .*{message}"):
        convert(source, target, architecture="resnet38d_narrow")
    assert not target.exists()


def test_each_array_is_used_once(arrays):
    state = named_tensors(arrays, tensor_shapes("resnet38d_narrow"))
    # Random numbers: equal sums would be the same array twice.
    assert sorted(float(value.sum()) for value in state.values()) == sorted(float(v.sum()) for v in arrays.values())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state | {"norm.bias": np.nextafter(state["norm.bias"], np.float32(9))},
        lambda state: without(state, "norm.bias"),
        lambda state: state | {"more": state["norm.bias"]},
    ],
)
def test_what_was_written_is_read_back(params, tmp_path, monkeypatch, spoil):
    def save_otherwise(state, path, metadata):
        save_file(spoil(state), path, metadata)

    monkeypatch.setattr(convert_resnet38d, "save_file", save_otherwise)
    with pytest.raises(UserError, match="does not read back the same"):
        convert(params, tmp_path / "a.safetensors", architecture="resnet38d_narrow")
    assert [path.name for path in tmp_path.iterdir()] == ["narrow.params"]


def test_a_place_that_cannot_be_written(params):
    with pytest.raises(UserError, match=r"narrow\.params/a\.safetensors: cannot be written \("):
        convert(params, params / "a.safetensors", architecture="resnet38d_narrow")


@pytest.fixture
def narrow(monkeypatch):
    """The script's network is the narrow one."""
    shapes = tensor_shapes("resnet38d_narrow")
    monkeypatch.setattr(convert_resnet38d, "tensor_shapes", lambda _: shapes)


@pytest.mark.usefixtures("narrow")
def test_script(params, tmp_path, capsys, monkeypatch):
    target, md5 = tmp_path / "out.safetensors", hashlib.md5(params.read_bytes()).hexdigest()
    words = [str(params), str(target)]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{target}\n"
    assert f"MD5 is {md5}, not ff21f45d6bf03284100dcbec571edfad of the published file" in printed.err
    assert main(words) == 2
    assert f"{target}: exists; --force replaces it" in capsys.readouterr().err
    target.write_bytes(b"old")
    monkeypatch.setattr(convert_resnet38d, "PUBLISHED_MD5", md5)
    assert main([*words, "--force"]) == 0
    assert not capsys.readouterr().err
    assert Backbone("resnet38d_narrow", str(target)).net.stem.weight.numel() == 3 * 9 * WIDTH
    assert main([str(params), str(tmp_path / "out.pth")]) == 2
    assert "out.pth: the name must end in .safetensors" in capsys.readouterr().err


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("place", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("mine")])
def test_no_pipe_folder_or_link_is_replaced(params, tmp_path, capsys, place):
    target = tmp_path / "out.safetensors"
    place(target)
    before = target.lstat()
    assert main([str(params), str(target), "--force"]) == 2
    assert f"{target}: is a " in capsys.readouterr().err
    assert (target.lstat().st_ino, target.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not (tmp_path / "mine").exists()
