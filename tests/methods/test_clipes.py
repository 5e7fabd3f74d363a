"""CLIP-ES and NACLIP against slow transcriptions, with a small CLIP of random weights, and in the chain."""

import math
from dataclasses import astuple, replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import yaml
from commands import here
from lightning.pytorch import Trainer
from PIL import Image
from scipy import ndimage
from tiny_clip import tiny_clip
from torch.utils.data import DataLoader

from acr_lightning.artefacts.cam_file import read_cam
from acr_lightning.artefacts.palette import IGNORE, read_mask
from acr_lightning.chain.experiment_file import load
from acr_lightning.errors import UserError
from acr_lightning.labels.pseudo_label import with_background
from acr_lightning.labels.refiner import build_refiner
from acr_lightning.methods.clipes.affinity import in_boxes
from acr_lightning.methods.clipes.inference import CLIPES, NACLIP, Words
from acr_lightning.stages.chain import CHAIN

open_clip = pytest.importorskip("open_clip", reason="CLIP is an extra: pip install '.[clims]'")
NAMES = ["ring", "person", "cross", "disc"]
TOWER = {"layers": 5, "patch_size": 4, "image_size": 32}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    clip = Words(*astuple(tiny_clip(tmp_path_factory.mktemp("clip"), "deep", **TOWER)))
    # Random towers think alike of all photos and words: larger weights make maps that differ from place to place.
    state = open_clip.create_model("deep", pretrained=clip.weights).state_dict()
    state = {name: value * (4 if "in_proj_weight" in name else 1) for name, value in state.items()}
    torch.save(state, clip.weights.replace("safetensors", "pth"))
    return replace(clip, weights=clip.weights.replace("safetensors", "pth"), prompt="a clean origami {}.")


def test_words_are_read_once_however_often_photos_come(words, monkeypatch):
    """As those of a cluster do, a few at a time."""
    module, calls = NACLIP(words), []
    module.trainer = SimpleNamespace(datamodule=SimpleNamespace(dataset=SimpleNamespace(class_names=NAMES)))
    read_words = module.read_words
    monkeypatch.setattr(module, "read_words", lambda names: calls.append(names) or read_words(names))
    module.setup("predict")
    module.setup("predict")
    assert calls == [NAMES]
    assert len(module.texts) == len(NAMES) + len(words.background)


def text_of(network, prompts, word):
    """The unit vector of a word, the mean over prompts."""
    with torch.no_grad():
        vectors = network.encode_text(open_clip.get_tokenizer("deep")([prompt.format(word) for prompt in prompts]))
    mean = (vectors / vectors.norm(dim=1, keepdim=True)).mean(dim=0)
    return mean / mean.norm()


def norm(x, layer):
    mean, variance = x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * layer.weight + layer.bias


def heads_of(block, y):
    """Queries, keys and values of each head `[N, d]`."""
    q, k, v = (y @ block.attn.in_proj_weight.T + block.attn.in_proj_bias).split(16, dim=1)
    return [(q[:, at : at + 8], k[:, at : at + 8], v[:, at : at + 8]) for at in (0, 8)]


def slow_block(block, x, y):
    """A block's tokens, and the mean of its heads' attention."""
    attentions, results = [], []
    for q, k, v in heads_of(block, y):
        weights = (q @ k.T / math.sqrt(8)).exp()
        attentions.append(weights / weights.sum(dim=1, keepdim=True))
        results.append(attentions[-1] @ v)
    x = x + torch.cat(results, dim=1) @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    hidden = norm(x, block.ln_2) @ block.mlp.c_fc.weight.T + block.mlp.c_fc.bias
    hidden = hidden * (1 / (1 + (-1.702 * hidden).exp()))
    return x + hidden @ block.mlp.c_proj.weight.T + block.mlp.c_proj.bias, sum(attentions) / 2


def slow_tokens(visual, image, interpolation):
    """What the last block takes `[1 + N, D]`, with the attentions before; patch by patch."""
    mean, std = (torch.tensor(visual.preprocess_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    image, (height, width) = (image - mean) / std, (image.shape[1] // 4, image.shape[2] // 4)
    kernel = visual.conv1.weight.flatten(1)
    places = [(row, column) for row in range(height) for column in range(width)]
    patches = [kernel @ image[:, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].flatten() for r, c in places]
    grid = visual.positional_embedding[1:].unflatten(0, (8, 8)).permute(2, 0, 1)[None]
    grid = torch.nn.functional.interpolate(grid, (height, width), mode=interpolation)[0]
    tokens = [visual.class_embedding + visual.positional_embedding[0]]
    tokens += [patch + grid[:, r, c] for patch, (r, c) in zip(patches, places, strict=True)]
    x, attentions = norm(torch.stack(tokens), visual.ln_pre), []
    for block in list(visual.transformer.resblocks)[:-1]:
        x, attention = slow_block(block, x, norm(x, block.ln_1))
        attentions.append(attention)
    return x, attentions, (height, width)


def slow_clipes(network, image, texts, tags, size, layers, box):
    """The release's steps, class by class."""
    visual = network.visual
    with torch.no_grad():
        x, attentions, grid = slow_tokens(visual, image, "bilinear")
    block, results = visual.transformer.resblocks[-1], []
    for c in range(tags):
        y = norm(x, block.ln_1).detach().requires_grad_()
        out, attention = slow_block(block, x, y)
        e = norm(out[1:], visual.ln_post).mean(dim=0) @ visual.proj
        e = e / e.norm()
        logits = network.logit_scale.exp() * torch.stack([e @ text for text in texts])
        (logits[c].exp() / logits.exp().sum()).backward()
        weight = y.grad[1:].mean(dim=0)
        score = np.array([max(0.0, float(weight @ cell)) for cell in y.detach()[1:]]).reshape(grid)
        score = (score - score.min()) / (1e-7 + (score - score.min()).max())
        a = torch.stack([*attentions, attention.detach()])[-layers:].mean(dim=0).numpy()[1:, 1:]
        for _ in range(3):
            a = a / a.sum(axis=0)[None]
            a = a / a.sum(axis=1)[:, None]
        a = (a + a.T) / 2
        a = (a @ a) * slow_boxes(score, box).reshape(1, -1)
        refined = (a @ score.ravel()).reshape(grid)
        refined = (refined - refined.min()) / (1e-7 + (refined - refined.min()).max())
        results.append(cv2.resize(refined, size[::-1]))
    return np.stack(results)


def slow_boxes(score, share):
    """By another library: boxes of 8-connected parts, which end before the last row and column."""
    levels, mask = (score * 255).astype(np.uint8), np.zeros(score.shape)
    parts, _ = ndimage.label(levels > int(share * levels.max()), np.ones((3, 3)))
    for rows, columns in ndimage.find_objects(parts):
        bottom, right = min(rows.stop, score.shape[0] - 1), min(columns.stop, score.shape[1] - 1)
        mask[rows.start : bottom, columns.start : right] = 1
    return mask


def prepared(kind, words, **arguments):
    method = kind(words, **arguments)
    method.read_words(NAMES)
    return method


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize(("layers", "box"), [(3, 0.4), (1, 0.8), (8, 0.0)])
def test_clip_es_is_its_release_s_steps(words, layers, box):
    method = prepared(CLIPES, words, layers=layers, box=box)
    image, tags = torch.rand(3, 40, 56), torch.tensor([1.0, 1, 0, 1])
    ((image_id, classes, scores),) = method.predict_step([{"id": "a", "image": image, "tags": tags}], 0)
    named = ["ring", "player", "disc", "tree", "water"]
    texts = [text_of(method.network, ["a clean origami {}."], name) for name in named]
    wanted = slow_clipes(method.network, image, texts, 3, (40, 56), layers, box)
    assert (image_id, classes.tolist()) == ("a", [0, 1, 3])
    assert wanted.max(axis=(1, 2)).min() > 0.5
    assert np.abs(scores.numpy() - wanted).max() < 1e-6  # cv2 has its weights in 32 bits


@pytest.mark.usefixtures("double")
def test_naclip_is_its_release_s_steps(words):
    method = prepared(NACLIP, replace(words, prompt="imagenet"), deviation=2.0, long_side=None)
    image, tags = torch.rand(3, 40, 56), torch.tensor([0.0, 1, 0, 1])
    ((_, classes, scores),) = method.predict_step([{"id": "a", "image": image, "tags": tags}], 0)
    prompts = [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]
    texts = [text_of(method.network, prompts, name) for name in ("player", "disc", "tree", "water")]
    visual, results = method.network.visual, []
    x, _, (height, width) = slow_tokens(visual, image, "bicubic")
    block, places = visual.transformer.resblocks[-1], [(r, c) for r in range(height) for c in range(width)]
    for _, k, v in heads_of(block, norm(x, block.ln_1)):
        logits = k @ k.T / math.sqrt(8)
        for i, one in enumerate(places):
            for j, other in enumerate(places):
                logits[i + 1, j + 1] += math.exp(-(math.dist(one, other) ** 2) / (2 * 2.0**2))
        results.append(logits.softmax(dim=1) @ v)
    out = torch.cat(results, dim=1) @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    vectors = norm(out[1:], visual.ln_post) @ visual.proj
    cosines = [[float(vector @ text / vector.norm()) for vector in vectors] for text in texts]
    large = [cv2.resize(np.array(one).reshape(height, width), (56, 40)) for one in cosines]
    shares = np.exp(40 * np.stack(large))
    wanted = (shares / shares.sum(axis=0))[:2]
    assert classes.tolist() == [1, 3]
    assert np.ptp(wanted) > 0.1
    assert np.abs(scores.numpy() - wanted).max() < 1e-5


def test_boxes_are_those_of_another_library(rng):
    for _ in range(50):
        score = ndimage.gaussian_filter(rng.random((9, 12)), 1).astype(np.float32)
        score = (score - score.min()) / np.ptp(score)
        assert np.array_equal(in_boxes(score, 0.7), slow_boxes(score, 0.7).astype(bool))
    assert not in_boxes(np.zeros((4, 5), np.float32), 0.4).any()


def test_photos_come_up_to_whole_patches_as_pillow_resizes_them(words, rng):
    photo = rng.integers(64, 192, (37, 50, 3), np.uint8)  # none of what lies between two pixels is cut
    image = torch.from_numpy(photo / 255).permute(2, 0, 1).float()
    wanted = np.asarray(Image.fromarray(photo).resize((52, 40), Image.Resampling.BICUBIC)) / 255
    resized = prepared(CLIPES, words)._resized(image)
    assert np.abs(resized.permute(1, 2, 0).numpy() - wanted).max() < 1.5 / 255
    assert prepared(NACLIP, words, long_side=20)._resized(image).shape == (3, 16, 20)


@pytest.mark.parametrize("kind", [CLIPES, NACLIP])
def test_inside_lightning_with_a_photo_without_tags(kind, words, shapes, tmp_path):
    image = torch.rand(3, 37, 50)
    samples = [
        {"id": "a", "image": image, "tags": torch.tensor([0.0, 1, 0, 1])},
        {"id": "b", "image": image, "tags": torch.zeros(4)},
    ]
    method = prepared(kind, words, long_side=None)
    method.setup = lambda stage: None
    trainer = Trainer(
        accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False,
        default_root_dir=tmp_path,
    )  # fmt: skip
    ((one, two),) = trainer.predict(method, DataLoader([samples], batch_size=None))
    assert one[2].shape == (2, 37, 50)
    assert 0 <= one[2].min() <= one[2].max() <= 1
    assert two[2].shape == (0, 37, 50)


@pytest.fixture
def start(words, shapes_root, tmp_path):
    """A function that runs a stage of `methods/clipes.yaml` on tiny photos."""
    cpu = {"accelerator": "cpu", "devices": 1, "logger": False, "enable_progress_bar": False}
    scenes = {"root": str(shapes_root), "num_train": 16, "num_val": 6, "size": 64, "seed": 3}
    content = {
        "base": "methods/clipes.yaml",
        "run": str(tmp_path / "run"),
        "dataset": {"class_path": "Shapes", "init_args": scenes},
        "cam": {
            "model": {"clip": {"weights": words.weights, "architecture": "deep"}},
            "data": {"splits": ["train"], "num_workers": 0},
            "trainer": cpu,
        },
        "label": {"workers": 1},
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    return lambda *words: here(*words[:1], "--config", tmp_path / "tiny.yaml", *words[1:])


def test_the_chain_needs_no_fit(start, shapes, tmp_path):
    experiment = load(CHAIN, str(tmp_path / "tiny.yaml"), {"proposals": "superpixels"})
    assert experiment.stages == ["cam", "proposals", "label", "segment", "evaluate", "report"]
    assert load(CHAIN, "voc.yaml", {}).stages[0] == "fit"
    assert start("cam") == start("label") == 0
    assert not (tmp_path / "run" / "fit").exists()
    unsure = 0
    for image_id in shapes.ids("train"):
        cam = read_cam(tmp_path / "run" / "cam" / "cams" / f"{image_id}.npz")
        assert sorted(cam.classes) == sorted(shapes.tags(image_id))
        probabilities = with_background(cam.scores, alpha=1.0)
        if len(cam.classes):
            probabilities = build_refiner("test_deeplabv2", "refiner")(shapes.image(image_id), probabilities)
        wanted = np.array([0, *(cam.classes + 1)])[probabilities.argmax(axis=0)]
        wanted = np.where(probabilities.max(axis=0) < 0.95, IGNORE, wanted)
        assert np.array_equal(read_mask(tmp_path / "run" / "label" / "labels" / f"{image_id}.png"), wanted)
        unsure += (wanted == IGNORE).sum()
    assert unsure


def test_a_walk_can_follow(start):
    assert load(CHAIN, "methods/clipes.yaml", {"affinity": "rib"}).stages[:4] == [
        "cam", "affinity_labels", "affinity_train", "affinity_walk",
    ]  # fmt: skip


def test_what_does_not_fit_is_said_in_a_line(start, tmp_path, capsys):
    (tmp_path / "damaged.safetensors").write_bytes(b"nothing")
    for weights, said in {
        "no.safetensors": "are yours to bring",
        "damaged.safetensors": "is not a weights file",
    }.items():
        assert start("cam", f"--model.clip.weights={tmp_path / weights}") == 2
        lines = capsys.readouterr().err.splitlines()
        assert said in lines[-1]
        assert lines[-1].startswith("acr cam: ")
        assert len(lines) < 3  # the first may say that an earlier result was moved aside


def test_a_tower_that_cannot_be_read(words, monkeypatch):
    monkeypatch.setattr(
        "acr_lightning.methods.clipes.inference.load_clip",
        lambda *_: torch.nn.ModuleDict({"visual": torch.nn.Flatten()}),
    )
    with pytest.raises(UserError, match="deep is no ViT whose attention can be read"):
        CLIPES(words)
