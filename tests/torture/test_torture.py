"""The short form of `make torture`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nothing_is_lost_unclear_or_executed(tmp_path):
    words = [sys.executable, "-W", "ignore", "-m", "torture", "--folder", str(tmp_path / "trials"), "--seed", "short"]
    words += ["--kills=3", "--pairs=0", "--attacks=4", "--ranks=0", "--inputs=9"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    figures = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("figure "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(figures["torture.kills"]) == int(figures["torture.identical"]) >= 3
    assert int(figures["torture.inputs"]) == int(figures["torture.clear"]) == 9 + 4 * 2
    assert figures["torture.attacks"] == figures["torture.twins"] == "4"
    assert {figures[f"torture.{name}"] for name in ("lost", "tracebacks", "executed")} == {"0"}
    assert not (tmp_path / "trials").exists()
