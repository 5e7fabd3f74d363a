"""`figure NAME VALUE` lines of a plain-CAM run and an ACR run, read from their scores."""

import argparse
import json
import time
from pathlib import Path

ROWS = {"label": "label", "network": "network"}


def main() -> None:
    """Print the figures that a make target ends with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prefix", help="of the figures' names")
    parser.add_argument("--baseline", type=Path, help="folder of the plain-CAM run")
    parser.add_argument("--acr", type=Path, required=True, help="folder of the ACR run")
    parser.add_argument("--since", type=float, help="when it all began, seconds since 1970")
    options = parser.parse_args()
    if options.baseline:
        _print(options.prefix, "baseline_cam", _first(options.baseline, "cam"))
    _print(options.prefix, "acr_cam", _first(options.acr, "cam"))
    for name, what in ROWS.items():
        _print(options.prefix, name, _first(options.acr, what))
    if options.since:
        print(f"figure {options.prefix}.seconds {time.time() - options.since:.0f}")


def _first(run: Path, what: str) -> float | None:
    """The mIoU in the first record of this kind (for CAMs the one at the best threshold)."""
    records = json.loads((run / "evaluate" / "scores.json").read_text())
    return next((record["miou"] for record in records if record["what"] == what), None)


def _print(prefix: str, name: str, value: float | None) -> None:
    if value is not None:
        print(f"figure {prefix}.{name} {value:.1f}")


if __name__ == "__main__":
    main()
