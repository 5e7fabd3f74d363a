"""A person at `acr review` who rejects bad labels, the true masks being that person: writes the run's review.json.

Sees the most doubtful fifth of the labels. `acr run` with the same --run then trains the network without the rejected
ones; `--of all` rejects the bad ones among all labels, as somebody would who looks through every photo.

python -m benchmarks.reject RUN --config FILE [--below 0.5] [--of first|all] [--KEY=VALUE …]
"""

import argparse
from pathlib import Path

import numpy as np

from acr_lightning.artefacts.review_file import REJECTED, Decision
from acr_lightning.chain.experiment_file import load
from acr_lightning.report.notes import Notes
from acr_lightning.review.doubt import doubts, measure_all
from acr_lightning.review.reviewed_run import reviewed_run
from acr_lightning.stages.chain import CHAIN
from benchmarks.doubt import true_iou


def main() -> None:
    """Read the words, decide, and say how many were rejected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--below", type=float, default=0.5, help="IoU with the mask, the mean over the photo's tags")
    parser.add_argument("--of", choices=("first", "all"), default="first")
    options, rest = parser.parse_known_args()
    values = dict(word.removeprefix("--").split("=", 1) for word in rest)
    reviewed = reviewed_run(options.run, load(CHAIN, options.config, values).dataset(), Notes(), trusted=True)
    order = np.argsort(-np.array(doubts(measure_all(reviewed))), kind="stable")
    looked_at = [reviewed.names[at] for at in (order[: len(order) // 5] if options.of == "first" else order)]
    rejected = [name for name in looked_at if true_iou(name, reviewed) < options.below]
    reviewed.decide({name: Decision(REJECTED) for name in rejected})
    print(f"{len(reviewed.names)} labels, {len(looked_at)} looked at, {len(rejected)} rejected → {reviewed.review}")


if __name__ == "__main__":
    main()
