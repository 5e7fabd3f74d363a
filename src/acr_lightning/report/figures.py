"""Scores of runs as `figure NAME VALUE` lines: the end of a make target that measures."""

import argparse
import time
from pathlib import Path

from acr_lightning.report.score_files import SCORES, first_record


def main() -> None:
    """Print them; a score that a run has not ends the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prefix", help="of the figures' names")
    parser.add_argument("scores", nargs="+", help="NAME=RUN:WHAT or NAME=RUN:WHAT@SPLIT; WHAT is cam, label or network")
    parser.add_argument("--gain", metavar="A-B", nargs="+", default=[], help="also the differences of two of them")
    parser.add_argument("--since", type=float, help="when it all began, seconds since 1970")
    options = parser.parse_args()
    scores = {}
    for text in options.scores:
        name, _, source = text.partition("=")
        run, _, kind = source.rpartition(":")
        what, _, split = kind.partition("@")
        if (record := first_record(Path(run), what, split or None)) is None:
            raise SystemExit(f"{Path(run, SCORES)}: no score of '{what}'{f' on {split}' if split else ''}")
        scores[name] = record
    for name, score in scores.items():
        print(f"figure {options.prefix}.{name} {score['miou']:.1f}")
    for ours, _, control in (gain.partition("-") for gain in options.gain):
        print(f"figure {options.prefix}.gain.{ours} {scores[ours]['miou'] - scores[control]['miou']:.1f}")
    if options.since:
        print(f"figure {options.prefix}.seconds {time.time() - options.since:.0f}")


if __name__ == "__main__":
    main()
