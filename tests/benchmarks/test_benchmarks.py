"""The straightforward ways that the benchmarks time do the same work, and the figures are what they say."""

import numpy as np
import torch
from classifiers import checkpoint_of
from tiny_acr import tiny_acr, tiny_classifier

from acr_lightning.affinity.random_walk import random_walk
from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.methods.acr.cu_loss import CUWeights
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.acr.ru_loss import RUWeights
from acr_lightning.methods.acr.step_input import StepInput
from acr_lightning.nets.vit import mctformer
from acr_lightning.nets.vit.mctformer import MCTFormer
from benchmarks import cam, vit, walk
from benchmarks.other_steps import PlainReconstructor
from benchmarks.photos import MadeUpPhotos
from benchmarks.probe import forget_peak, megabytes, peak_with_children
from benchmarks.table import Row, markdown, written


def test_the_dense_walk_is_the_same_walk():
    affinity, scores = walk.problem(9, 11)
    dense, took, _ = walk.dense_walk(scores, affinity, squarings=walk.EXPONENT)
    # The dense way has 32 bits, and 8 squarings of them.
    assert torch.allclose(dense, random_walk(scores, affinity, walk.RADIUS, walk.BETA, walk.EXPONENT), atol=1e-3)
    assert took > 0


def test_the_plain_step_is_the_same_step():
    modules = [tiny_acr(3, reconstructor=kind) for kind in (PlainReconstructor, Reconstructor)]
    modules[1].load_state_dict(modules[0].state_dict())
    step = StepInput(torch.rand(2, 3, 32, 32), torch.tensor([[1.0, 0, 1], [0, 1, 0]]), target=torch.tensor([2, 1]))
    found = []
    for module in modules:
        for part in module.reconstructor.decoder.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        torch.nn.init.uniform_(module.classifier.classify.weight, 0.1, 0.1)
        loss = module.reconstructor_update(step).total(RUWeights()) + module.classifier_update(step).total(CUWeights())
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        found.append((loss, torch.autograd.grad(loss, trained, allow_unused=True)))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-5)
    for one, two in zip(found[0][1], found[1][1], strict=True):
        assert (one is None) == (two is None)
        assert one is None or torch.allclose(one, two, atol=1e-5)


def test_keeping_every_attention_gives_the_same(monkeypatch):
    net, image, found = MCTFormer(3, "test_vit", drop_path=0.0), torch.randn(2, 3, 48, 64), []
    for one in net.parameters():
        if one.ndim > 1:
            torch.nn.init.normal_(one, std=0.1)
    for read in (mctformer.read_blocks, vit.read_with_everything_kept):
        monkeypatch.setattr(mctformer, "read_blocks", read)
        output = net(image)
        found.append((output.cam_logits, output.class_logits))
    torch.testing.assert_close(found[0], found[1])
    assert found[0][0].max() > 0


def test_the_plain_loop_makes_the_same_cams(tmp_path, monkeypatch):
    monkeypatch.setattr(cam, "SCALES", (1.0, 2.0))
    dataset = MadeUpPhotos(str(tmp_path / "photos"), 2, 32, 40)
    classifier = tiny_classifier(len(dataset.class_names))
    torch.nn.init.uniform_(classifier.classify.weight, -0.05, 0.1)  # so that there is a CAM
    path = checkpoint_of(classifier, tmp_path)
    cam.stage(dataset, path, tmp_path / "ours", scales=(1.0, 2.0))
    cam.plain_loop(dataset, CamInference(path).classifier, tmp_path / "plain")
    for image_id in ("0", "1"):
        plain = np.nan_to_num(np.load(tmp_path / "plain" / f"{image_id}.npy"))  # an empty CAM is divided by 0 there
        assert np.abs(read_cam(tmp_path / "ours" / f"{image_id}.npz").scores - plain).max() < 0.01
        assert plain.max() > 0


def test_the_probe_sees_a_peak():
    forget_peak()
    before = megabytes("VmRSS")
    # 256 MB, freed again; less might come from what the process had before.
    assert peak_with_children(lambda: np.ones(2**25).sum()) - before > 200


def test_the_table_holds_every_figure():
    row = Row("walk", "1 s", "100 s", {"walk.speedup": 1234.4, "walk.peak": 0.01234})
    assert "walk.speedup 1234, walk.peak 0.0123" in markdown([row])
    assert written(99.4) == "99.4"
