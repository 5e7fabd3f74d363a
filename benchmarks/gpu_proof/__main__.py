"""`make gpu-proof`: what nobody can know without a GPU, in minutes on one. `--device cpu` tries what a CPU can.

Each check is a process of its own: if it dies, the others still run. What fails is a row with its reason, and the exit
status is 1. Rows, table and all that was printed lie in `--output`.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

from benchmarks.gpu_proof.row import Row, judged

# Module and function by name, in this order: a check that finds no time left fails.
CHECKS = {
    "waits": "waits.check", "walk": "walk.check", "ddp": "ddp.check", "memory": "preset.memory", "twice": "chain.twice",
    "cams": "chain.cams", "speed": "preset.speed",
}  # fmt: skip
TESTS = Path(__file__).parents[2] / "tests"


def main() -> int:
    """Run the checks; print a table and `figure` lines."""
    parser = argparse.ArgumentParser(prog="gpu_proof", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--minutes", type=float, help="for all checks together; 8 on a GPU, 60 on a CPU")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu-proof"))
    options = parser.parse_args()
    if options.device == "cuda" and shutil.which("nvidia-smi") is None:
        parser.error("there is no GPU here; --device=cpu tries what a CPU can")
    since, rows = time.time(), list[Row]()
    minutes = options.minutes if options.minutes is not None else {"cuda": 8, "cpu": 60}[options.device]
    options.output.mkdir(parents=True, exist_ok=True)
    sys.path[:0] = [str(TESTS), str(TESTS / "gpu")]  # the cases of the fake GPU's tests
    for name in options.only:  # imported once, before the processes part; none of it touches the GPU
        import_module(f"{__package__}.{CHECKS[name].partition('.')[0]}")
    for name in options.only:
        rows += in_its_own_process(name, options.device, options.output, since + 60 * minutes - time.time())
        print(f"{name}: done after {time.time() - since:.0f} s", file=sys.stderr, flush=True)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("passed", "FAILED", "needs a GPU")}
    lines = ["| what | | measured |", "|---|---|---|"]
    lines += [f"| {row.what} | {row.verdict} | {row.value} |" for row in rows]
    figures = {name: value for row in rows for name, value in row.figures.items()}
    figures |= {**counts, "seconds": time.time() - since}
    record = {"machine": machine(options.device), "rows": [row._asdict() for row in rows], "figures": figures}
    (options.output / "proof.json").write_text(json.dumps(record, indent=1))
    (options.output / "proof.md").write_text("\n".join(lines) + "\n")
    lines += [f"figure gpu_proof.{name.lower().replace(' ', '_')} {value:.6g}" for name, value in figures.items()]
    print(*lines, sep="\n")
    return int(counts["FAILED"] > 0)


def in_its_own_process(name: str, device: str, folder: Path, seconds_left: float) -> list[Row]:
    """The rows of a check, and one more where it dies or its time is over; what it prints is kept beside them."""
    written, log, reason = folder / f"{name}.jsonl", folder / f"{name}.log", ""
    written.write_text("")
    process = multiprocessing.get_context("fork").Process(target=_work, args=(name, device, written, log))
    process.start()
    process.join(max(0.0, seconds_left))
    if process.exitcode is None:
        process.kill()
        process.join()
        reason = "no time was left"
    elif process.exitcode:
        last = (log.read_text(errors="replace").strip().splitlines() or [""])[-1]
        reason = f"{last} (exit status {process.exitcode}; see {log})"
    rows = [Row(**json.loads(line)) for line in written.read_text().splitlines()]
    return [*rows, judged(f"all of {name}", False, reason)] if reason else rows


def _work(name: str, device: str, written: Path, log: Path) -> None:
    module, _, function = CHECKS[name].partition(".")
    with log.open("w") as told, written.open("a") as file:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
        try:
            for row in getattr(import_module(f"{__package__}.{module}"), function)(device):
                print(json.dumps(row._asdict()), file=file, flush=True)
        except BaseException:
            traceback.print_exc(file=told)
            sys.exit(1)


def machine(device: str) -> dict[str, str]:
    """What it was measured on."""
    import torch

    from acr_lightning.chain.code import code

    def said(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    asked = "--query-gpu=name,driver_version,memory.total"
    return {
        "gpu": said("nvidia-smi", asked, "--format=csv,noheader") if device == "cuda" else "", "cpu": said("lscpu"),
        "code": code(), "torch": torch.__version__, "cuda": str(torch.version.cuda), "on": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
