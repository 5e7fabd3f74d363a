"""Stage proposals."""

from functools import partial
from typing import Any

from acr_lightning.chain.stage import Job, Stage
from acr_lightning.stages.inference import infer, inference_defaults

HELP = """masks of each photo's things, whatever they are, which then vote on its label

Reads the photos of the splits `train` and `seed`. Writes `proposals/masks/<id>.npz`. `--proposals=superpixels` needs
nothing else, `--proposals=sam` a folder of weights: `--proposals.model.weights=DIR`.
"""
MASKS = "masks"


def main(job: Job) -> dict[str, Any]:
    """Make the proposals that are not there yet; returns counts for the manifest."""
    from acr_lightning.proposals.mask_runs import read_proposals, write_proposals

    counts, _ = infer(job, job.folder / MASKS, ".npz", write_proposals, read_proposals)
    return counts


DEFAULTS = partial(inference_defaults, "Superpixels", "UntaggedPhotos", ["train", "seed"])
PROPOSALS = Stage(
    "proposals", HELP, DEFAULTS, main, writes=MASKS, choice="proposals", splits=(), reads_tags=False, has_classes=False
)
