"""Scores of runs as a Markdown table and as `figure NAME VALUE` lines: the end of a make target that measures."""

import argparse
import time
from pathlib import Path

from acr_lightning.artefacts import manifest
from acr_lightning.report.run_scores import scored_on
from acr_lightning.report.score_files import SCORES, first_record

# The stages whose time a kind of score stands for; labels cost nothing but what comes after the CAMs.
AFFINITY = ("affinity_labels", "affinity_train", "affinity_walk")
STAGES = {"cam": ("fit", "cam"), "walked cam": AFFINITY, "label": (*AFFINITY, "label"), "network": ("segment",)}


def main() -> None:
    """Print them; a score that a run has not ends the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prefix", help="of the figures' names")
    parser.add_argument(
        "scores", nargs="+", help=f"NAME=RUN:WHAT or NAME=RUN:WHAT@SPLIT; WHAT is one of {', '.join(STAGES)}"
    )
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
        scores[name] = (record, seconds(Path(run), what))
    print("\n| | split | mIoU | precision | recall | stages | seconds |\n|---|---|---|---|---|---|---|")
    for name, (score, took) in scores.items():
        cells = [f"{score[key]:.1f}" for key in ("miou", "precision", "recall")]
        print(f"| {name} | {scored_on(score)} | {' | '.join(cells)} | {', '.join(took)} | {sum(took.values()):.0f} |")
    for name, (score, _) in scores.items():
        print(f"figure {options.prefix}.{name} {score['miou']:.1f}")
    for ours, _, control in (gain.partition("-") for gain in options.gain):
        print(f"figure {options.prefix}.gain.{ours} {scores[ours][0]['miou'] - scores[control][0]['miou']:.1f}")
    if options.since:
        print(f"figure {options.prefix}.seconds {time.time() - options.since:.0f}")


def seconds(run: Path, what: str) -> dict[str, float]:
    """How long each stage behind a kind of score took; a stage that was stopped in between counts its last part."""
    folders = manifest.stages_of(run)
    manifests = {stage: manifest.read(folders[stage]) for stage in STAGES[what] if stage in folders}
    return {stage: float(one["seconds"]) for stage, one in manifests.items() if one and "seconds" in one}


if __name__ == "__main__":
    main()
