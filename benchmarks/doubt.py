"""How many of the worst labels `acr review` shows first: its measures, alone and together, against true masks.

python -m benchmarks.doubt RUN --config FILE [--photos 1::2] [--KEY=VALUE …]
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from rich.progress import track

from acr_lightning.chain.experiment_file import load
from acr_lightning.report.notes import Notes
from acr_lightning.review.doubt import Measures, agreement, doubts, measure, ranks
from acr_lightning.review.reviewed_run import ReviewedRun, reviewed_run
from acr_lightning.stages.chain import CHAIN


def true_iou(name: str, run: ReviewedRun) -> float:
    """The IoU of a photo's label and its mask, the mean over its tags."""
    mask = run.dataset.mask(name)
    assert mask is not None
    return agreement(run.label(name), mask, [int(tag) + 1 for tag in run.dataset.tags(name)])


def table(run: Path, config: str, photos: slice, values: dict[str, str]) -> None:
    """Print for each set of measures its rank correlation with the labels' IoU, and the share of the worst fifth found.

    Args:
        run: with the stage `label` done.
        config: an experiment file with its data set, whose training photos have masks.
        photos: which of them count, so that measures can be chosen on others.
        values: what is set otherwise in it.
    """
    dataset = load(CHAIN, config, values).dataset()
    reviewed = reviewed_run(run, dataset, Notes(), trusted=True)
    since, measures, names = time.process_time(), [], reviewed.names[photos]
    for name in track(names, "photos"):
        measures.append(measure(name, reviewed))
    seconds = time.process_time() - since
    ious, fifth = np.array([true_iou(name, reviewed) for name in names]), len(names) // 5
    worst = {*np.argsort(ious, kind="stable")[:fifth]}
    print(f"{len(names)} photos, {seconds:.1f} s of a core to measure; mean IoU {ious.mean():.3f}")
    for chosen in itertools.chain.from_iterable(itertools.combinations(Measures._fields, n) for n in range(1, 5)):
        others = dict.fromkeys({*Measures._fields} - {*chosen})
        if any(getattr(one, name) is None for one in measures for name in chosen):
            continue  # not all photos have it
        doubt = np.array(doubts([one._replace(**others) for one in measures]))
        first = np.argsort(-doubt, kind="stable")[:fifth]
        correlation = np.corrcoef(ranks(list(-ious)), ranks(list(doubt)))[0, 1]
        print(
            f"| {' + '.join(chosen)} | {correlation:.2f} | {100 * len(worst & {*first}) / fifth:.0f} % "
            f"| {ious[first].mean():.2f} against {np.delete(ious, first).mean():.2f} |"
        )


def main() -> None:
    """Read the words and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--config", required=True)
    parser.add_argument("--photos", default=":", help="a slice of them")
    options, rest = parser.parse_known_args()
    photos = slice(*(int(one) if one else None for one in options.photos.split(":")))
    table(options.run, options.config, photos, dict(word.removeprefix("--").split("=", 1) for word in rest))


if __name__ == "__main__":
    main()
