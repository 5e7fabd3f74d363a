"""A network comes back out of a checkpoint by what the checkpoint says of it, whatever trained it."""

import copy
import os
import sys

import pytest
import torch
from tiny_acr import tiny_classifier

from acr_lightning.affinity.affinity_net import AffinityNet, AffinityNetwork
from acr_lightning.affinity.boundary_net import BoundaryNet
from acr_lightning.artefacts import checkpoint_file
from acr_lightning.errors import UserError
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import describe_in, load_network, require_learned_classes
from acr_lightning.nets.classifier import CamClassifier, Classifier
from acr_lightning.nets.deeplab import DeepLab


def saved(network, path):
    checkpoint = {"state_dict": {f"net.{key}": value for key, value in network.state_dict().items()}, "epoch": 3}
    describe_in(checkpoint, network, "net")
    torch.save(checkpoint, path)
    return path


def tiny_backbone():
    return Backbone("test_resnet", freeze_batchnorm=False)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: CamClassifier(3, "test_resnet", output_stride=8, width=16), Classifier),
        (lambda: AffinityNet(tiny_backbone(), freeze_backbone=True), AffinityNetwork),
        (lambda: BoundaryNet(tiny_backbone(), freeze_backbone=False), AffinityNetwork),
        (lambda: DeepLab(tiny_backbone(), 4, "v3plus", rates=(1, 2)), DeepLab),
        (lambda: DeepLab(tiny_backbone(), 4, "linear"), DeepLab),
        (lambda: DeepLab(Backbone("test_vit"), 4, "upsample"), DeepLab),
    ],
)
def test_round_trip(tmp_path, make, kind):
    network, image = make().eval(), torch.randn(1, 3, 32, 48)
    loaded = load_network(saved(network, tmp_path / "last.ckpt"), kind, "acr fit")
    assert type(loaded) is type(network)
    assert not loaded.training
    one, two = network(image), loaded(image)
    assert torch.equal(*((one.cam_logits, two.cam_logits) if kind is Classifier else (one, two)))


def test_whose_classes_a_loaded_network_knows(tmp_path):
    """A network that its checkpoint says no names of, as before they were kept, passes; so does one without weights."""
    fresh = CamClassifier(3, "test_resnet", output_stride=8, width=16)
    loaded = load_network(saved(fresh, tmp_path / "last.ckpt"), Classifier, "acr fit")
    require_learned_classes(torch.nn.ModuleList([fresh, loaded]), ["a", "b", "c"], "cam.model")
    content = checkpoint_file.read(tmp_path / "last.ckpt")
    checkpoint_file.write({**content, "class_names": ["a", "b", "c"]}, tmp_path / "last.ckpt")
    loaded = load_network(tmp_path / "last.ckpt", Classifier, "acr fit")
    require_learned_classes(torch.nn.ModuleList([loaded]), ("a", "b", "c"), "cam.model")
    for others in (["a", "c", "b"], ["a", "b"], ["a", "b", "c", "d"]):
        with pytest.raises(
            UserError, match=r"cam\.model: .*last\.ckpt knows the classes 'a, b, c', and these are 'a, "
        ):
            require_learned_classes(torch.nn.ModuleList([loaded]), others, "cam.model")


def test_weights_are_not_part_of_a_description():
    assert "weights" not in tiny_classifier().description()["init_args"]
    assert CamClassifier(3, "test_resnet").description()["init_args"]["backbone"] == "test_resnet"


def test_a_copy_keeps_its_arguments_and_another_one_is_made_alike():
    network = CamClassifier(3, "test_resnet", width=16)
    assert copy.deepcopy(network).arguments == network.arguments
    again = network.again()
    assert again.reduce.weight.shape == network.reduce.weight.shape
    assert not torch.equal(again.reduce.weight, network.reduce.weight)
    nested = DeepLab(tiny_backbone(), 4, rates=[1]).again()
    assert nested.backbone.freeze_batchnorm is False


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(UserError, match="run `acr fit` first"):
        load_network(tmp_path / "none.ckpt", Classifier, "acr fit")
    (tmp_path / "damaged.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"damaged\.ckpt: not a readable checkpoint"):
        load_network(tmp_path / "damaged.ckpt", Classifier, "acr fit")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of `acr fit`"):
        load_network(tmp_path / "other.ckpt", Classifier, "acr fit")
    path = saved(AffinityNet(tiny_backbone()), tmp_path / "affinity.ckpt")
    with pytest.raises(UserError, match="AffinityNet, not a checkpoint of `acr fit`"):
        load_network(path, Classifier, "acr fit")


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = saved(tiny_classifier(), tmp_path / "last.ckpt")
    content = torch.load(path, weights_only=True)
    lacks = {key: value for key, value in content["state_dict"].items() if "reduce" not in key}
    odd = {key: value[:1] for key, value in content["state_dict"].items() if value.ndim}
    for state in (lacks, odd, {}, []):
        torch.save({**content, "state_dict": state}, path)
        with pytest.raises(UserError, match=r"last\.ckpt: its weights do not fit its network"):
            load_network(path, Classifier, "acr fit")


class Command:
    """Pickled, a command that leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_a_strangers_checkpoint_runs_nothing(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (tmp_path / "stranger.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    checkpoint = torch.load(saved(tiny_classifier(), tmp_path / "mine.ckpt"))
    torch.save({**checkpoint, "more": Command(ran)}, tmp_path / "pickled.ckpt")
    with pytest.raises(UserError, match=r"pickled\.ckpt"):
        load_network(tmp_path / "pickled.ckpt", Classifier, "acr fit")
    checkpoint["network"]["class_path"] = "stranger.Model"
    torch.save(checkpoint, tmp_path / "class.ckpt")
    with pytest.raises(UserError, match=r"class\.ckpt.*stranger"):
        load_network(tmp_path / "class.ckpt", Classifier, "acr fit")
    assert not ran.exists()
    assert "stranger" not in sys.modules
