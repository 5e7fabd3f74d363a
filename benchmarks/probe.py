"""The peak of memory that some work needs, measured in a fresh process."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Let the kernel count this process's peak from now on."""
    CLEAR.write_text("5")


def megabytes(name: str, status: Path = STATUS) -> float:
    """`VmRSS` (now) or `VmHWM` (peak) of a process, by default this one; 0 for one that has ended."""
    try:
        line = next(line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    except (OSError, StopIteration):
        return 0.0
    return int(line.split()[1]) / 1024


def peak_with_children(work: Callable[[], Any]) -> float:
    """The largest peak of this process and of those that it starts while it works, in megabytes.

    Asked for every 20 ms: the kernel's own count of ended children begins with what their parent held.
    """
    peaks, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for children in Path("/proc/self/task").glob("*/children"):
                for child in children.read_text().split():
                    peaks.append(megabytes("VmHWM", Path(f"/proc/{child}/status")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(megabytes("VmHWM"), *peaks)


def measure(module: str, *words: Any) -> dict[str, float]:
    """Run `python -m benchmarks.<module> WORDS` and read what it prints as JSON."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))
