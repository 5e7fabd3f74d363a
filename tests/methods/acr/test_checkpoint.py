import pytest
import torch

from acr_lightning.errors import UserError
from acr_lightning.nets.classifier_checkpoint import ClassifierConfig, load_classifier


def test_classifier_round_trip(tmp_path):
    config = ClassifierConfig(3, "tiny_resnet", None, False)
    classifier = config.build().eval()
    state = {f"classifier.{key}": value for key, value in classifier.state_dict().items()}
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": state, "classifier_config": config._asdict()}, path)
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(load_classifier(path)(image).cam_logits, classifier(image).cam_logits)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(UserError, match="run `acr fit` first"):
        load_classifier(tmp_path / "none.ckpt")
    (tmp_path / "damaged.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"damaged\.ckpt: not a readable checkpoint"):
        load_classifier(tmp_path / "damaged.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of `acr fit`"):
        load_classifier(tmp_path / "other.ckpt")
