"""One full training step (RU and CU) in several modes: images per second and peak memory, each in a fresh process.

plain    as the release does: two frozen passes, features as large as the image, every reconstruction decoded by itself
batched  the reconstructions of a phase decoded in one call, its outer layers computed on small maps (the default)
compile  batched, compiled by torch.compile
at_once  batched, but both phases' graphs are built before either goes backward (memory only)
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

MODES = ("plain", "batched", "compile", "at_once")
NETS: dict[str, dict[str, Any]] = {
    "resnet38d": {"classifier": {"backbone": "resnet38d"}, "reconstructor": {}, "size": 256},
    "lite0": {
        "classifier": {"backbone": "tf_efficientnet_lite0", "output_stride": 16},
        "reconstructor": {"depth": 5, "stride": 4},
        "size": 128,
    },
}


def main() -> None:
    """Measure every mode of every net, print a table and `figure` lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3, help="timed steps after a first one that is not")
    parser.add_argument("--output", type=Path, default=Path("runs/bench/step.md"))
    parser.add_argument("--one", nargs=2, metavar=("NET", "MODE"), help="measure in this process, print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one, options.batch, options.steps)))
        return
    rows = []
    for net in options.nets:
        found: dict[str, dict[str, float]] = {}
        for mode in options.modes:
            words = f"-m benchmarks.step --batch {options.batch} --steps {options.steps} --one {net} {mode}".split()
            done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=True)
            found[mode] = json.loads(done.stdout.splitlines()[-1])
            print(f"{net} {mode}: {found[mode]}", file=sys.stderr, flush=True)
            rows.append((net, mode, found[mode], found["plain"]["seconds"] / found[mode]["seconds"]))
    lines = ["| net | mode | images/s | speed-up over plain | peak memory, MB |", "|---|---|---|---|---|"]
    for net, mode, one, speedup in rows:
        lines.append(
            f"| {net} | {mode} | {options.batch / one['seconds']:.3f} | {speedup:.2f} | {one['peak_mb']:.0f} |"
        )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    for net, mode, one, speedup in rows:
        print(f"figure step.{net}.{mode}.speedup {speedup:.2f}")
        print(f"figure step.{net}.{mode}.peak_mb {one['peak_mb']:.0f}")


def measure(net: str, mode: str, batch: int, steps: int) -> dict[str, float]:
    """The fastest of some steps, in seconds, and the process's peak memory in MB."""
    import torch
    from lightning.pytorch import Callback, Trainer, seed_everything

    from acr_lightning.methods.acr.module import ACR
    from acr_lightning.methods.acr.reconstructor import Reconstructor
    from acr_lightning.nets.classifier import CamClassifier
    from acr_lightning.training.alternating import StepSettings
    from acr_lightning.training.optimisation import OptimizerSettings
    from acr_lightning.training.speed import Compile
    from benchmarks.other_steps import AtOnceACR, PlainReconstructor

    class Clock(Callback):
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_train_batch_start(self, *_: Any) -> None:
            self.since = time.perf_counter()

        def on_train_batch_end(self, *_: Any) -> None:
            self.seconds.append(time.perf_counter() - self.since)

    seed_everything(0, verbose=False)
    torch.set_flush_denormal(True)
    size, clock = NETS[net]["size"], Clock()
    images = [{"image": torch.rand(batch, 3, size, size), "tags": torch.eye(20)[:batch]} for _ in range(steps + 1)]
    kind = PlainReconstructor if mode == "plain" else Reconstructor
    module = (AtOnceACR if mode == "at_once" else ACR)(
        CamClassifier(20, **NETS[net]["classifier"]),
        partial(kind, **NETS[net]["reconstructor"]),
        # At a real rate noise makes losses that are not finite within ten steps, whose updates would be timed too.
        optimizer=OptimizerSettings(lr=1e-6),
        step=StepSettings(max_nonfinite=1),
    )
    trainer = Trainer(
        max_epochs=1, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
        callbacks=[clock, *([Compile()] if mode == "compile" else [])],
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(images, batch_size=None))
    return {
        "seconds": min(clock.seconds[1:]),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
