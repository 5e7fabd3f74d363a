"""Steps of `voc.yaml`: seconds and memory against `acr estimate`, and what compilation and channels-last change."""

import math
import tempfile
from collections.abc import Iterator
from statistics import median

import torch
from lightning.pytorch import Callback

from acr_lightning.chain.experiment_file import load
from acr_lightning.chain.trainer_section import Parts, build
from acr_lightning.stages.chain import CHAIN
from acr_lightning.training.cards import smallest
from acr_lightning.training.footprint import batch_like, footprint
from acr_lightning.training.speed import ChannelsLast, Compile
from benchmarks.gpu_proof.row import Row, judged, needs_gpu
from benchmarks.gpu_proof.training import Clock, train

# What torch has in use, cuDNN's workspace among it, as a share of the estimate, which is without.
LEAST, MOST = 0.9, 1.25
# Random weights learn nothing of noise, and at a real rate soon have no finite loss.
VALUES = {
    "fit.model.optimizer.lr": 1e-6, "segment.model.optimizer.lr": 1e-6, "fit.model.classifier.weights": None,
    "segment.model.weights": None, "segment.data.labels": "masks",
}  # fmt: skip
SMALL = {
    "fit.model.classifier": {"backbone": "test_resnet", "output_stride": 8}, "fit.data.crop": 64,
    "fit.model.reconstructor": {"depth": 3, "width": 8, "stride": 2}, "fit.data.batch_size": 2,
    "segment.model.backbone": "test_resnet", "segment.data.crop": 64, "segment.data.batch_size": 2,
}  # fmt: skip


def parts(stage: str, device: str, folder: str) -> Parts:
    """A training of the preset, on a data set that says which classes there are; for a CPU a small one."""
    dataset = {"class_path": "Shapes", "init_args": {"root": f"{folder}/shapes", "num_train": 1, "num_val": 1}}
    values = {"dataset": dataset, **VALUES, **(SMALL if device == "cpu" else {})}
    section = load(CHAIN, "voc.yaml", values).section(stage)
    return build(section | {"trainer": {"logger": False, "accelerator": "cpu"}}, stage)


def clocked(stage: str, device: str, folder: str, *callbacks: Callback) -> tuple[Clock, float]:
    """Take twenty steps on noise, on a CPU three; the last loss."""
    clock, (module, data, *_) = Clock(), parts(stage, device, folder)
    batch = batch_like(data, data.batch_size)
    batch["image"] = torch.rand_like(batch["image"])
    trainer = train(module, [batch] * (3 if device == "cpu" else 20), device, *callbacks, clock, benchmark=True)
    return clock, float(trainer.callback_metrics["cu" if stage == "fit" else stage])


def memory(device: str) -> Iterator[Row]:
    """Steps of each training of the preset: seconds, and memory against the estimate."""
    for stage in ("fit", "segment"):
        with tempfile.TemporaryDirectory() as folder:
            module, data, *_ = parts(stage, device, folder)
            estimate, work = footprint(module, batch_like(data, data.batch_size), "16-mixed")
            clock, _ = clocked(stage, device, folder)
        seconds, what = median(clock.seconds[2:]), f"steps of voc.yaml's {stage}"
        rate = work / seconds / 1e12
        value, figures = f"{seconds:.3g} s, {rate:.3g} TFLOP/s", {f"{stage}.seconds": seconds, f"{stage}.tflops": rate}
        if device == "cpu":
            yield needs_gpu(what, f"{value}, small", **figures)
            continue
        used, taken, card = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved(), smallest(estimate)
        share, fits = used / estimate, card is None or taken <= card * 2**30
        value += f"; {used / 2**30:.2f} GiB in use, {share:.2f} of the estimate, {LEAST} to {MOST} may be"
        value += f"; {taken / 2**30:.2f} taken of a card of {card}"
        yield judged(what, LEAST <= share <= MOST and fits, value, **figures, **{f"{stage}.memory_share": share})


def speed(device: str) -> Iterator[Row]:
    """Steps of the preset's game with channels-last and compilation, off and on."""
    compiled = Compile("aot_eager" if device == "cpu" else "inductor")  # a CPU's compiler takes minutes
    ways: dict[str, list[Callback]] = {
        "as it is": [], "channels-last": [ChannelsLast()], f"compiled by {compiled.backend}": [compiled],
        "both": [ChannelsLast(), compiled],
    }  # fmt: skip
    plain = 0.0
    for number, (name, callbacks) in enumerate(ways.items()):
        with tempfile.TemporaryDirectory() as folder:
            clock, loss = clocked("fit", device, folder, *callbacks)
        seconds = median(clock.seconds[2:])
        plain = plain or seconds
        value = f"{seconds:.3g} s, {plain / seconds:.2f} times as fast; the first {clock.seconds[0]:.3g} s"
        figures = {f"speed.{number}": plain / seconds}
        yield judged(f"steps of voc.yaml's fit, {name}", math.isfinite(loss), value, **figures)
