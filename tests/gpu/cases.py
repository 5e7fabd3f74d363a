"""Every method, network and inference, tiny, as they are tried on a GPU."""

from dataclasses import astuple
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from classifiers import checkpoint_of
from method_training import classifier_of
from tiny_acr import HALVES, tiny_acr, tiny_classifier
from tiny_clip import tiny_clip
from torch import nn
from torch.nn import functional as F

from acr_lightning.affinity.learner import AffinityLearner
from acr_lightning.affinity.walk_inference import AffinityWalk
from acr_lightning.artefacts.cam_file import write_cam
from acr_lightning.cam.cam_inference import CamInference
from acr_lightning.cam.prototype_inference import PrototypeInference
from acr_lightning.methods.acr.game import Game
from acr_lightning.methods.acr.module import ACR
from acr_lightning.methods.acr.reconstructor import Reconstructor
from acr_lightning.methods.advcam.inference import AdvCAM
from acr_lightning.methods.aeft.loss import Triplet
from acr_lightning.methods.aeft.module import AEFT
from acr_lightning.methods.clims.module import CLIMS
from acr_lightning.methods.clipes.inference import CLIPES, NACLIP, Words
from acr_lightning.methods.cpn.module import CPN
from acr_lightning.methods.occse.module import OCCSE
from acr_lightning.methods.plain.module import Plain
from acr_lightning.methods.ppc.contrast import Contrast
from acr_lightning.methods.ppc.module import PPC
from acr_lightning.methods.recam.module import ReCAM
from acr_lightning.methods.rib.finetuning import Finetuning
from acr_lightning.methods.rib.inference import RIB
from acr_lightning.methods.seam.module import SEAM
from acr_lightning.methods.sipe.module import SIPE
from acr_lightning.nets.checkpoint import describe_in
from acr_lightning.nets.classifier import CamClassifier
from acr_lightning.nets.vit.mctformer import MCTFormer
from acr_lightning.segment.network_inference import NetworkInference
from acr_lightning.segment.segmenter import Segmenter
from acr_lightning.stages.chain import CHAIN
from acr_lightning.training.optimisation import OptimizerSettings

SGD = OptimizerSettings(lr=0.01, gradient_clip_val=1.0)
K, PHOTOS, SIDE = 4, 4, 32
# Side of the photos of inference: odd, and none of the walk's offsets leads out of its grid.
PHOTO = 90
# Where the host may wait for the GPU, and how often in a batch that is not the first.
SYNCS = {
    "_local_scalar_dense in alternating.update": 2,  # 16-mixed: whether a player's step is taken
    "nonzero in module.losses": 1,  # CLIMS: how many tags there are
}
COPIES = {
    "cpu to cuda in module.draw": 1,
    "cpu to cuda in draw_target.draw_target": 1,
    "cpu to cuda in module.losses": 1,
    "cpu to cuda in loss.repulsion": 1,
}


class Judge:
    """CLIP's part in CLIMS."""

    def __init__(self):
        self.size = torch.Size((SIDE, SIDE))
        self.images, self.texts = nn.Conv2d(3, 8, SIDE), nn.Embedding(K + 2, 8)

    def to(self, device):
        return self

    @property
    def classes(self):
        return self.texts.weight[:K]

    @property
    def background(self):
        return self.texts.weight[K:]

    def __call__(self, image):
        return F.normalize(self.images(image).flatten(1).float(), dim=1)


class JudgedCLIMS(CLIMS):
    """CLIMS with a judge that reads no weights."""

    def __init__(self, classifier, **training):
        super().__init__(classifier, None, **training)
        judge = Judge()
        self.parts = nn.ModuleList([judge.images, judge.texts]).requires_grad_(False)
        self.judge = judge

    def setup(self, stage):
        pass


def vit(**options):
    return MCTFormer(K, "test_vit", **{"drop_path": 0.1, **options})


def photo_batch():
    tags = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]])
    valid = torch.ones(PHOTOS, SIDE, SIDE, dtype=torch.bool)
    return {"id": ["photo"] * PHOTOS, "image": torch.rand(PHOTOS, 3, SIDE, SIDE), "tags": tags, "valid": valid}


def label_batch():
    label = torch.zeros(PHOTOS, SIDE, SIDE, dtype=torch.long)
    return {"id": ["photo"] * PHOTOS, "image": torch.rand(PHOTOS, 3, SIDE, SIDE), "label": label}


def methods(folder: Path):
    """How each method is built."""
    plain = checkpoint_of(tiny_classifier(), folder)
    net, frozen = partial(classifier_of, "usual"), partial(classifier_of, "frozen")
    return {
        "ACR": lambda: tiny_acr(optimizer=SGD, game=Game(ramp_epochs=2)),
        "ACR, ResNet38d": lambda: ACR(CamClassifier(K, "resnet38d"), partial(Reconstructor, depth=5), optimizer=SGD),
        "ACR, frozen": lambda: ACR(
            frozen(), partial(Reconstructor, depth=2, width=8, side_channels=(8, 8, 8, 8), stride=8), optimizer=SGD
        ),
        "ACR, MCTformer": lambda: ACR(
            vit(), partial(Reconstructor, depth=3, width=8), tiny_classifier(), optimizer=SGD
        ),
        "plain": lambda: Plain(net(), optimizer=SGD, step=HALVES),
        "plain, frozen": lambda: Plain(frozen(), optimizer=SGD),
        "plain, MCTformer+": lambda: Plain(
            vit(layers=None, fusion="root", pooling="rank", contrast=1.0, recompute=True), optimizer=SGD
        ),
        "OC-CSE": lambda: OCCSE(net(), plain, optimizer=SGD),
        "ReCAM": lambda: ReCAM(net(), optimizer=SGD),
        "SEAM": lambda: SEAM(net(), 0.5, optimizer=SGD),
        "SIPE": lambda: SIPE(net(), optimizer=SGD),
        "AEFT": lambda: AEFT(net(), Triplet(start=0), optimizer=SGD),
        "CPN": lambda: CPN(net(), [8, 16], optimizer=SGD),
        "PPC": lambda: PPC(net(), 0.5, Contrast(grid=4, width=8), optimizer=SGD),
        "CLIMS": lambda: JudgedCLIMS(net(), optimizer=SGD),
    }


def networks():
    """How each network that learns from labels is built."""
    return {
        "PSA": lambda: AffinityLearner(K, "features", "test_resnet", optimizer=SGD),
        "IRN": lambda: AffinityLearner(K, "boundary", "test_resnet", freeze_backbone=False, radius=4, optimizer=SGD),
        **{
            f"DeepLab, {head}": partial(
                Segmenter, K, "test_resnet", head=head, loss=loss, freeze_batchnorm=False, optimizer=SGD
            )
            for head, loss in {
                "v1_large_fov": "cross_entropy", "v2": "balanced", "v3plus": "cross_entropy", "upsample": "balanced",
                "linear": "balanced",
            }.items()
        },
    }  # fmt: skip


class NamedCLIPES(CLIPES):
    """CLIP-ES that has read the names of the classes."""

    def setup(self, stage):
        pass


class NamedNACLIP(NACLIP):
    """NACLIP that has read them."""

    def setup(self, stage):
        pass


class Others:
    """RIB's other photos."""

    def than(self, image_id, tags, count):
        while True:
            yield [{"image": torch.rand(3, SIDE, SIDE), "tags": torch.ones(K)}] * 2


def inferences(folder: Path):
    """How each inference is built, from checkpoints that are written into the folder."""
    names = ("fit.ckpt", "frozen.ckpt", "affinity.ckpt", "segment.ckpt")
    fit, frozen, learned, segmented = (folder / name for name in names)
    for classifier, path in ((tiny_classifier(taps=4), fit), (classifier_of("frozen"), frozen)):
        checkpoint_of(classifier, folder)
        (folder / "last.ckpt").rename(path)
    write_cam(folder / "cam" / "photo.npz", np.array([0, 2]), np.ones((2, PHOTO, PHOTO), np.float32))
    for kind in ("features", "boundary"):
        network = AffinityLearner(K, kind, "test_resnet").network
        _save(network, learned.with_stem(kind))
    _save(Segmenter(K, "test_resnet").network, segmented)
    scales = {"scales": [0.5, 1.0]}

    def rib():
        made = RIB(str(fit), Finetuning(steps=2, others=2, crop=SIDE, long_side=(SIDE, SIDE)), **scales)
        made.others = Others()
        return made

    by_clip = {}
    if find_spec("open_clip"):
        words = Words(*astuple(tiny_clip(folder, layers=3)))
        by_clip = {"CLIP-ES": NamedCLIPES(words), "NACLIP": NamedNACLIP(words)}
    for method in by_clip.values():
        method.read_words([f"class{number}" for number in range(K)])
    return {
        **{name: lambda method=method: method for name, method in by_clip.items()},
        "CAM": partial(CamInference, str(fit), **scales),
        "prototypes": partial(PrototypeInference, str(fit), **scales),
        "AdvCAM": partial(AdvCAM, str(fit), [2, 2], **scales),
        "AdvCAM, frozen": partial(AdvCAM, str(frozen), [2, 2], **scales),
        "RIB": rib,
        **{
            f"walk, {name.upper()}": partial(
                AffinityWalk, str(learned.with_stem(kind)), str(folder / "cam"), **walk(name)
            )
            for name, kind in {"psa": "features", "irn": "boundary"}.items()
        },
        "network": partial(NetworkInference, str(segmented), **scales),
        "network, in windows": partial(NetworkInference, str(segmented), [1.0], window=PHOTO // 2),
    }


def walk(preset):
    """The published values."""
    return CHAIN.presets["affinity"][preset]["affinity_walk"]["model"]


def photo_samples():
    return [{"id": "photo", "image": torch.rand(3, PHOTO, PHOTO), "tags": torch.tensor([1.0, 0, 1, 0])}]


def _save(network, path):
    checkpoint = {"state_dict": {f"network.{name}": value for name, value in network.state_dict().items()}}
    describe_in(checkpoint, network, "network")
    torch.save(checkpoint, path)
