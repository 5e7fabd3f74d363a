"""Labels that two CRFs agree on, the loss of pairs, both networks, their training, and the walk of a CAM."""

import math

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from acr_lightning.affinity.affinity_net import AffinityNet, AffinityNetwork
from acr_lightning.affinity.boundary_net import BoundaryNet
from acr_lightning.affinity.learner import NETWORKS, AffinityLearner
from acr_lightning.affinity.pair_affinity import boundary_affinity, feature_affinity
from acr_lightning.affinity.pair_loss import pair_kinds, pair_loss
from acr_lightning.affinity.walk_inference import AffinityWalk
from acr_lightning.artefacts.cam_file import read_cam, write_cam
from acr_lightning.data.datamodule import LabelledCrops
from acr_lightning.errors import UserError
from acr_lightning.labels.confident_label import BackgroundScore, confident_label
from acr_lightning.labels.pseudo_label import pseudo_label
from acr_lightning.labels.refiner import DenseCrf
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.checkpoint import describe_in, load_network
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.result_writer import ResultWriter


def test_confident_label_by_hand():
    image = np.zeros((1, 5, 3), np.uint8)
    scores = np.array([[[0.9, 0.2, 0.02, 0.31, 0.0]], [[0.1, 0.1, 0.01, 0.32, 0.06]]], np.float32)
    strong, weak = BackgroundScore(threshold=0.30), BackgroundScore(threshold=0.05)
    label = confident_label(image, np.array([3, 7]), scores, strong, weak, refiner=None)
    assert label.tolist() == [[4, 255, 0, 8, 255]]
    # PSA: (1 − 0.2)^4 = 0.41 beats 0.2 and (1 − 0.2)^32 = 8e-4 does not, so 0.2 is unsure; 0.32 is sure. 0.06 loses
    # even against (1 − 0.06)^32 = 0.14.
    label = confident_label(
        image, np.array([3, 7]), scores, BackgroundScore(alpha=4), BackgroundScore(alpha=32), refiner=None
    )
    assert label.tolist() == [[4, 255, 0, 8, 0]]


def test_confident_label_passes_both_through_the_crf(rng):
    image = rng.integers(0, 256, (12, 14, 3)).astype(np.uint8)
    scores = rng.random((2, 12, 14), np.float32)
    classes = np.array([0, 5])
    crf = DenseCrf("hard_label", scale=0.5)
    got = confident_label(image, classes, scores, BackgroundScore(0.7), BackgroundScore(0.3), crf)
    high = pseudo_label(image, classes, scores, 0.7, refiner=crf)
    low = pseudo_label(image, classes, scores, 0.3, refiner=crf)
    for pixel in np.ndindex(12, 14):
        wanted = high[pixel] if high[pixel] else (0 if low[pixel] == 0 else 255)
        assert got[pixel] == wanted
    assert len(np.unique(got)) > 1


def loss_of(affinity, labels, radius):
    kinds = pair_kinds(labels, radius)
    return pair_loss(affinity, kinds, kinds.flatten(1).sum(dim=1))


def test_pair_loss_counts_each_pair_once(rng):
    """Against a loop over all pairs of cells."""
    radius, height, width = 3, 5, 6
    labels = rng.choice([0, 0, 1, 2, 255], (2, height, width))
    features = torch.from_numpy(rng.normal(size=(2, 4, height, width)).astype(np.float32))
    sums = {"background": [], "foreground": [], "different": []}
    cells = [(y, x) for y in range(height) for x in range(width)]
    for image in range(2):
        for number, one in enumerate(cells):
            for other in cells[number + 1 :]:
                if (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 >= radius**2:
                    continue
                a, b = labels[(image, *one)], labels[(image, *other)]
                if 255 in (a, b):
                    continue
                affinity = math.exp(-(features[(image, ..., *one)] - features[(image, ..., *other)]).abs().mean())
                if a == b:
                    sums["foreground" if a else "background"].append(-math.log(affinity + 1e-5))
                else:
                    sums["different"].append(-math.log(1 + 1e-5 - affinity))
    wanted = {name: np.mean(values) for name, values in sums.items()}
    got = loss_of(feature_affinity(features, radius), torch.from_numpy(labels), radius)
    for name, value in wanted.items():
        assert getattr(got, name).item() == pytest.approx(value, rel=1e-4), name
    total = wanted["background"] / 4 + wanted["foreground"] / 4 + wanted["different"] / 2
    assert got.total().item() == pytest.approx(total, rel=1e-4)


def test_pair_loss_without_any_sure_pair_is_zero():
    affinity = torch.full((1, 4, 3, 3), 0.5, requires_grad=True)
    loss = loss_of(affinity, torch.full((1, 3, 3), 255), 2).total()
    loss.backward()
    assert loss == 0
    assert affinity.grad.abs().max() == 0


def test_affinity_net_has_the_published_layers():
    net = AffinityNet(Backbone("test_resnet", output_stride=8, freeze_batchnorm=False))
    assert [reduce.out_channels for reduce in net.reduce] == [64, 128, 256]
    assert net.mix.in_channels == net.mix.out_channels == 448
    assert not any(name.endswith(".bias") for name, _ in net.reduce.named_parameters())
    image = torch.randn(1, 3, 32, 40)
    taps = net.backbone(image)
    parts = [F.elu(F.conv2d(tap, reduce.weight)) for tap, reduce in zip(taps, net.reduce, strict=True)]
    wanted = F.elu(F.conv2d(torch.cat(parts, 1), net.mix.weight))
    assert torch.allclose(net(image), wanted)
    assert net(image).shape == (1, 448, 4, 5)


def test_taps_of_other_strides_are_enlarged_to_the_first():
    net = AffinityNet(Backbone("test_resnet"))
    image = torch.randn(1, 3, 64, 64)
    assert len({tap.shape[-1] for tap in net.backbone(image)}) > 1
    assert net(image).shape[-2:] == net.backbone(image).early.shape[-2:]


def test_boundary_net_on_resnet50_has_the_published_sizes():
    with torch.device("meta"):
        net = BoundaryNet(Backbone("resnet50", output_stride=16))
    assert net.backbone.map_channels == [64, 256, 512, 1024, 2048]
    assert [branch[0].out_channels for branch in net.branches] == [32] * 5
    assert net.mix.in_channels == 160
    assert {branch[1].num_groups for branch in net.branches} == {4}


@pytest.mark.parametrize("size", [(32, 40), (33, 37), (47, 30)])
def test_boundary_logits_have_stride_4_at_any_size(size):
    net = BoundaryNet(Backbone("test_resnet"))
    assert net(torch.randn(2, 3, *size)).shape == (2, 1, math.ceil(size[0] / 4), math.ceil(size[1] / 4))


def test_only_the_branch_is_trained():
    net = BoundaryNet(Backbone("test_resnet", freeze_batchnorm=False)).train()
    before = {name: value.clone() for name, value in net.backbone.state_dict().items()}
    net(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is None for parameter in net.backbone.parameters())
    assert all(parameter.grad is not None for parameter in net.branches.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.backbone.state_dict().items())
    thawed = BoundaryNet(Backbone("test_resnet"), freeze_backbone=False).train()
    thawed(torch.randn(2, 3, 32, 32)).sum().backward()
    assert sum(parameter.grad is not None for parameter in thawed.backbone.parameters()) > 5


def learner(kind):
    settings = dict(backbone="test_resnet", output_stride=8, freeze_batchnorm=False, freeze_backbone=False)
    adamw = OptimizerSettings("adamw", lr=0.003, new_layer_factor=1.0)
    return AffinityLearner(4, kind, **settings, optimizer=adamw)


@pytest.mark.parametrize("kind", ["features", "boundary"])
def test_training_learns_which_cells_belong_together(kind, shapes, tmp_path):
    """On true masks: after a few epochs pairs of one label are more alike than pairs of two."""
    torch.manual_seed(0)
    data = LabelledCrops(shapes, "masks", crop=48, scale=(1, 1), batch_size=8, num_workers=0)
    net = learner(kind)
    trainer = Trainer(
        default_root_dir=tmp_path, max_epochs=10, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    batch = next(iter(data.train_dataloader()))
    before = net.losses(batch).loss.item()
    trainer.fit(net, data)
    group = trainer.optimizers[0].param_groups[0]
    assert group["lr"] == pytest.approx(group["initial_lr"] * (1 / trainer.global_step) ** 0.9)  # that of the last step
    path = trainer.checkpoint_callback.best_model_path
    network = load_network(path, AffinityNetwork, "acr affinity")
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(network(image), net.network.eval()(image))
    net.train()  # BatchNorm's running statistics are those of twenty steps only
    after = net.losses(batch).loss.item()
    assert after < 0.9 * before


def test_a_cell_has_the_label_at_its_centre():
    net = learner("features")
    label = torch.full((1, 32, 32), 255)
    # Cell (0, 0) covers pixels 0..7; the centre pixel is 4.
    label[0, 4::8, 4::8] = torch.arange(16).view(4, 4) % 2
    batch = {"image": torch.rand(1, 3, 32, 32), "label": label}
    output = net.network(net.network.backbone.normalise(batch["image"]))
    wanted = loss_of(feature_affinity(output, 5), torch.arange(16).view(1, 4, 4) % 2, 5).total()
    assert net.losses(batch).loss.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.fixture
def checkpoint(tmp_path):
    def make(kind):
        torch.manual_seed(1)
        network = NETWORKS[kind](Backbone("test_resnet", output_stride=8, freeze_batchnorm=False), freeze_backbone=True)
        saved = {"state_dict": {f"network.{key}": value for key, value in network.state_dict().items()}}
        describe_in(saved, network, "network")
        path = tmp_path / f"{kind}.ckpt"
        torch.save(saved, path)
        return str(path)

    return make


def dense_walk(scores, affinity_map, radius, beta, exponent):
    """`s·T^n` with a matrix filled pair by pair from `pair_affinity`'s affinities, which have own tests."""
    from acr_lightning.affinity.neighbourhood import half_disc

    height, width = scores.shape[-2:]
    matrix = np.eye(height * width)
    for number, (dy, dx) in enumerate(half_disc(radius)):
        for y in range(height):
            for x in range(width):
                if y + dy < height and 0 <= x + dx < width:
                    i, j = y * width + x, (y + dy) * width + x + dx
                    matrix[i, j] = matrix[j, i] = float(affinity_map[0, number, y, x]) ** beta
    matrix /= matrix.sum(0)
    walked = scores.reshape(len(scores), -1).double().numpy() @ np.linalg.matrix_power(matrix, 2**exponent)
    return torch.from_numpy(walked).view_as(scores).float()


def test_walk_as_psa_publishes_it(checkpoint, tmp_path, rng):
    scores, image = rng.random((2, 48, 56), np.float32), torch.rand(3, 48, 56)
    write_cam(tmp_path / "cams" / "a.npz", np.array([1, 4]), scores)
    walk = AffinityWalk(
        checkpoint("features"), str(tmp_path / "cams"), beta=8, exponent=6, background_alpha=16, normalise=False,
        flip=False,
    ).eval()  # fmt: skip
    with torch.inference_mode():
        _, classes, got, background = walk.walked({"id": "a", "image": image})
        cam = torch.from_numpy(read_cam(tmp_path / "cams" / "a.npz").scores)
        stacked = torch.cat([cam, (1 - cam.amax(0, keepdim=True)) ** 16])
        features = walk.network(walk.network.backbone.normalise(image[None]))
        wanted = dense_walk(F.avg_pool2d(stacked, 8), feature_affinity(features, 5), 5, 8, 6)
        wanted = F.interpolate(wanted[None], (48, 56), mode="bilinear")[0]
    assert classes.tolist() == [1, 4]
    assert torch.allclose(got, wanted[:2], atol=1e-5)
    assert torch.allclose(background, wanted[2], atol=1e-5)


def test_walk_as_rib_publishes_it(checkpoint, tmp_path, rng):
    scores, image = rng.random((2, 24, 28), np.float32), torch.rand(3, 24, 28)
    write_cam(tmp_path / "cams" / "a.npz", np.array([1, 4]), scores)
    walk = AffinityWalk(checkpoint("boundary"), str(tmp_path / "cams"), beta=10, exponent=5, cam_power=1.3).eval()
    with torch.inference_mode():
        _, classes, got, background = walk.walked({"id": "a", "image": image})
        normalised = walk.network.backbone.normalise(image[None])
        logits = (walk.network(normalised) + walk.network(normalised.flip(-1)).flip(-1)) / 2
        boundary = logits[:, 0].sigmoid()
        cam = torch.from_numpy(read_cam(tmp_path / "cams" / "a.npz").scores)
        state = F.avg_pool2d(cam, 4) ** 1.3 * (1 - boundary)
        wanted = dense_walk(state, boundary_affinity(boundary, 5), 5, 10, 5)
        wanted = F.interpolate(wanted[None], (24, 28), mode="bilinear")[0]
    assert torch.allclose(got, wanted / wanted.max(), atol=1e-5)
    assert got.max() == pytest.approx(1)
    assert classes.tolist() == [1, 4]
    assert background is None


def test_photo_without_tags_and_any_size(checkpoint, tmp_path):
    write_cam(tmp_path / "empty.npz", np.zeros(0, np.int64), np.zeros((0, 9, 13), np.float32))
    write_cam(tmp_path / "odd.npz", np.array([2]), np.ones((1, 9, 13), np.float32))
    walk = AffinityWalk(checkpoint("boundary"), str(tmp_path), long_side=26).eval()
    with torch.inference_mode():
        _, _, empty, _ = walk.walked({"id": "empty", "image": torch.rand(3, 9, 13)})
        _, _, odd, _ = walk.walked({"id": "odd", "image": torch.rand(3, 9, 13)})
    assert empty.shape == (0, 9, 13)
    assert odd.shape == (1, 9, 13)
    with pytest.raises(UserError, match="no CAM; run `acr cam` first"):
        walk.walked({"id": "gone", "image": torch.rand(3, 9, 13)})


def test_writer_keeps_the_cam_format(tmp_path, rng):
    scores, background = torch.rand(2, 5, 6), torch.rand(5, 6)
    for name, walked in (("a", background), ("b/c", None)):
        prediction = name, torch.tensor([0, 3]), scores, walked
        ResultWriter(tmp_path, ".npz", write_cam).write_on_batch_end(None, None, [prediction], None, None, 0, 0)
    with_background, without = read_cam(tmp_path / "a.npz"), read_cam(tmp_path / "b" / "c.npz")
    assert with_background.classes.tolist() == [0, 3]
    assert np.abs(with_background.scores - scores.numpy()).max() <= 0.5 / 255 + 1e-6
    assert np.abs(with_background.background - background.numpy()).max() <= 0.5 / 255 + 1e-6
    assert without.background is None
