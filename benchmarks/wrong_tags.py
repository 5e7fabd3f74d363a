"""How many wrong tags `acr review` points at: some of VOC-6 are swapped, and a classifier learns from what is there.

python -m benchmarks.wrong_tags VOC_ROOT RUN [--share 0.05] [--seed 0] [--epochs 12] [--long_side 320]
"""

import argparse
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acr_lightning.artefacts.manifest import CHECKPOINT
from acr_lightning.chain.experiment_file import load
from acr_lightning.cli.main import main as acr
from acr_lightning.data.voc import VOC2012
from acr_lightning.review.tag_scores import probabilities_by
from acr_lightning.stages.chain import CHAIN


class WrongTags(VOC2012):
    """VOC, of which in some training photos one tag is another class.

    Args:
        share: of the training photos.
        draw: seed of which ones, and of the classes.
        **voc: arguments of `VOC2012`.
    """

    def __init__(self, share: float = 0.05, draw: int = 0, **voc: Any) -> None:
        super().__init__(**voc)
        self.share, self.draw = share, draw

    @cached_property
    def swapped(self) -> dict[str, tuple[int, int]]:
        """By photo the class that is tagged and was taken away, and the one that is not and was added."""
        random, ids = np.random.default_rng(self.draw), self.listed("train")
        swaps = {}
        for at in random.choice(len(ids), round(self.share * len(ids)), replace=False):
            tags = [int(tag) for tag in super().tags(ids[at])]
            others = [k for k in range(self.num_classes) if k not in tags]
            swaps[ids[at]] = int(random.choice(tags)), int(random.choice(others))
        return swaps

    def tags(self, image_id: str) -> NDArray[np.int64]:
        tags, (gone, new) = super().tags(image_id), self.swapped.get(image_id, (-1, -1))
        return np.array(sorted(new if tag == gone else int(tag) for tag in tags), np.int64)


def measure(root: str, run: Path, share: float, seed: int, epochs: int, long_side: int) -> None:
    """Train, read all photos once, and print what is found."""
    node = {"class_path": f"benchmarks.wrong_tags.{WrongTags.__name__}"}
    arguments = load(CHAIN, "voc6.yaml", {"dataset.root": root}).dataset_node()["init_args"]
    dataset = WrongTags(share, seed, **arguments)
    words = [f"--dataset={ {**node, 'init_args': {**arguments, 'share': share, 'draw': seed}} }", f"--run={run}"]
    words += [f"--seed={seed}", "--model.strategy=baseline", f"--trainer.max_epochs={epochs}", "--trainer.logger=false"]
    if acr(["fit", "--config", "voc6.yaml", *words]):
        raise SystemExit(1)
    ids = dataset.ids("train")
    by_photo = probabilities_by(run / "fit" / CHECKPOINT, dataset, ids, long_side, ["benchmarks"])
    tagged = np.array([np.isin(np.arange(dataset.num_classes), dataset.tags(one)) for one in ids])
    contradiction = np.where(tagged, 1 - np.array([by_photo[one] for one in ids]), [by_photo[one] for one in ids])
    wrong, worst = np.isin(ids, [*dataset.swapped]), contradiction.max(axis=1)
    first, flagged = np.argsort(-worst, kind="stable")[: wrong.sum()], worst > 0.5
    print(
        f"{len(ids)} photos, {wrong.sum()} with a wrong tag: {wrong[first].mean():.0%} of them among the {len(first)} "
        f"most contradicted; {flagged.sum()} are marked, with {wrong[flagged].sum() / wrong.sum():.0%} of them"
    )


def main() -> None:
    """Read the words and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("run", type=Path)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--long_side", type=int, default=320, help="at which photos are read; 320 is voc6.yaml's `cam`")
    measure(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
