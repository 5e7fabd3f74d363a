"""Two processes train and infer as one, with every method.

In 64 bits: a step is smaller than a weight, whose rounding in 32 bits would be a part of it.
"""

import os
import socket
import sys
import traceback
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from double import double
from lightning.pytorch import Trainer
from method_training import classifier_of, plain_run
from tiny_acr import HALVES, tiny_acr
from tiny_clip import tiny_clip, tiny_clip_in

from acr_lightning.artefacts.palette import write_mask
from acr_lightning.cam.prototype_inference import PrototypeInference
from acr_lightning.data.datamodule import TaggedCrops, TaggedPhotos
from acr_lightning.data.shapes import Shapes
from acr_lightning.methods.advcam.inference import AdvCAM
from acr_lightning.methods.aeft.loss import Triplet
from acr_lightning.methods.aeft.module import AEFT
from acr_lightning.methods.cda.data import PastedCrops
from acr_lightning.methods.clims.loss import Matching
from acr_lightning.methods.clims.module import CLIMS
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
from acr_lightning.training.one_message import OneMessage
from acr_lightning.training.optimisation import OptimizerSettings

SGD = OptimizerSettings(lr=0.01)  # Adam blows up rounding
TRAINED = {
    "ACR": lambda *_: tiny_acr(optimizer=SGD, step=HALVES),
    "OC-CSE": lambda net, plain: OCCSE(net, plain, optimizer=SGD),
    "ReCAM": lambda net, plain: ReCAM(net, initial=plain, optimizer=SGD),
    "SEAM": lambda net, _: SEAM(net, 0.5, optimizer=SGD),
    "SIPE": lambda net, _: SIPE(net, optimizer=SGD),
    "AEFT": lambda net, _: AEFT(net, Triplet(start=0, margin=9.0), optimizer=SGD),  # so that all pairs are near
    "CPN": lambda net, _: CPN(net, [16], optimizer=SGD),
    "PPC": lambda net, _: PPC(net, 0.5, Contrast(grid=6, width=8), optimizer=SGD),
    "CDA": lambda net, _: Plain(net, SGD),
}
if WITH_CLIP := find_spec("open_clip") is not None:  # an extra; the CLIP lies beside the plain run
    TRAINED["CLIMS"] = lambda net, plain: CLIMS(
        net, tiny_clip_in(Path(plain)), matching=Matching(alike=-1.0), optimizer=SGD
    )
TINY = Finetuning(steps=2, others=2, crop=32, long_side=(32, 48), lr=0.01, most_covered=2)
INFERRED = {
    "AdvCAM": partial(AdvCAM, scales=[1.0], steps=[2]),
    "RIB": partial(RIB, scales=[1.0], finetuning=TINY),
    "prototypes": partial(PrototypeInference, scales=[1.0]),
}


def trainer_of(processes, folder):
    return Trainer(
        default_root_dir=folder, max_epochs=1, accelerator="cpu", devices=processes, limit_train_batches=1,
        strategy=OneMessage() if processes > 1 else "auto", logger=False, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip


def results(processes, folder, shapes):
    """What every method trains, and what this process infers; how many numbers are trained, and are sent."""
    made, sent = {"sent": {}}, []
    if processes > 1:
        reduce = dist.all_reduce
        dist.all_reduce = lambda values, *args, **kwargs: sent.append(values.numel()) or reduce(values, *args, **kwargs)
    for name, build in TRAINED.items():
        method = build(classifier_of("usual"), str(folder / "plain"))
        data = partial(PastedCrops, labels=str(folder / "labels")) if name == "CDA" else TaggedCrops
        before = {key: one.clone() for key, one in method.named_parameters()}
        sent.clear()
        trainer = trainer_of(processes, folder)
        trainer.fit(method, data(shapes, crop=32, long_side=(32, 40), batch_size=8, num_workers=0))
        made[name] = {key: one.detach() - before[key] for key, one in method.named_parameters()}
        made["sent"][name] = sum(one.numel() for one in method.parameters() if one.requires_grad), sum(sent)
        assert trainer.model is method  # and no reducer, which would send what is not seen here
        if name == "SIPE":
            trainer.save_checkpoint(folder / "sipe.ckpt")
    for name, build in INFERRED.items():
        data = TaggedPhotos(shapes, ["seed"], num_workers=0)
        data.left = data.ids[:3]
        batches = trainer_of(processes, folder).predict(build(str(folder / "sipe.ckpt")), data)
        made[name] = {image_id: scores for ((image_id, _, scores),) in batches}
    return made


def begin(rank, port, folder, shapes):
    """One of two processes, a copy of this one; its number."""
    if pid := os.fork():
        return pid
    status = 1
    torch.set_num_threads(1)  # threads that the copied process had are not there, and would be waited for
    try:
        os.environ |= {
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "NODE_RANK": "0", "LOCAL_RANK": str(rank),
            "WORLD_SIZE": "2",
        }  # fmt: skip
        torch.save(results(2, folder, shapes), folder / f"{rank}.pt")
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


@pytest.fixture(scope="module")
def made(tmp_path_factory, shapes_root):
    """By one process, and by each of two."""
    folder = tmp_path_factory.mktemp("two")
    shapes = Shapes(str(shapes_root), num_train=16, num_val=6, size=64, seed=3)
    with double(), pytest.MonkeyPatch.context() as patch:
        plain_run("usual", folder / "plain", shapes)
        if WITH_CLIP:
            tiny_clip(folder / "plain")
        patch.setattr("acr_lightning.methods.cda.pasting.SMALLEST", 0.01)
        for image_id in shapes.ids("train"):
            mask = shapes.mask(image_id)
            write_mask(folder / "labels" / f"{image_id}.png", mask * (mask == 1))
        one = results(1, folder, shapes)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pids = [begin(rank, port, folder, shapes) for rank in range(2)]
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    return one, *(torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2))


@pytest.mark.parametrize("name", TRAINED)
def test_a_step_of_two_is_that_of_one(made, name):
    one, *two = (each[name] for each in made)
    furthest = max(step.abs().max() for step in one.values())
    assert furthest > 0
    for key, step in one.items():
        for other in two:
            assert (other[key] - step).abs().max() < 1e-10 * furthest, key


@pytest.mark.parametrize("name", TRAINED)
def test_each_gradient_is_sent_once(made, name):
    for process in made[1:]:
        trained, sent = process["sent"][name]
        assert 0.9 * trained < sent < 1.05 * trained


@pytest.mark.parametrize("name", INFERRED)
def test_two_infer_photo_by_photo_what_one_does(made, name):
    one, first, second = (each[name] for each in made)
    assert set(first) - set(second)  # they share the photos
    assert set(first) | set(second) == set(one)
    for image_id, scores in one.items():
        assert all(torch.allclose(two[image_id], scores, atol=1e-10) for two in (first, second) if image_id in two)
