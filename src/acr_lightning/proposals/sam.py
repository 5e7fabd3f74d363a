"""SAM and SAM 2 (Kirillov et al., ICCV 2023; Ravi et al., 2024) with a folder of weights that is the user's own."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from acr_lightning.errors import UserError
from acr_lightning.nets.sizes import scaled_size
from acr_lightning.proposals.mask_runs import Runs, runs_of
from acr_lightning.proposals.proposal_inference import ProposalInference


@lru_cache
def load_sam(weights: str, where: str) -> tuple[Any, Any]:
    """The network, in eval mode, and what prepares its photos.

    Args:
        weights: a folder as transformers writes it: `config.json`, `preprocessor_config.json`, `model.safetensors`.
        where: the key that names it, for the message.

    Raises:
        UserError: transformers or a file is missing, damaged, or of another network.
    """
    try:
        from transformers import AutoImageProcessor, AutoModelForMaskGeneration
        from transformers.utils import logging
    except ImportError:
        raise UserError(f"{where}: SAM needs transformers; pip install '.[sam]'") from None
    if not Path(weights).is_dir():
        raise UserError(f"{where}: no folder {weights}; SAM's weights are yours to bring (docs/nodes.md)")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        local: dict[str, Any] = {"local_files_only": True}
        processor = AutoImageProcessor.from_pretrained(weights, **local)
        network, said = AutoModelForMaskGeneration.from_pretrained(weights, output_loading_info=True, **local)
        if missing := sorted(said["missing_keys"]):
            raise ValueError(f"{len(missing)} tensors are missing, the first is {missing[0]}")
    except Exception as error:  # transformers and safetensors raise their own
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{where}: {weights} holds no whole SAM or SAM 2 ({reason})") from None
    return network.eval().requires_grad_(False), processor


def as_seen(processor: Any, photo: Image.Image) -> Image.Image:
    """A photo at the size at which the network sees it, which for SAM 2 is a square."""
    longest = processor.size.get("longest_edge")
    square = (processor.size.get("width"), processor.size.get("height"))
    size = scaled_size(photo.size, longest / max(photo.size)) if longest else square
    return photo.resize(size, Image.Resampling.BILINEAR)


class SamProposals(ProposalInference):
    """What SAM finds at the points of a grid.

    Args:
        weights: folder of a SAM or SAM 2, see `load_sam`.
        options: of transformers' mask generation: `points_per_crop: 16` is a grid of 16 × 16 points instead of 32 × 32,
            `points_per_batch` changes memory and speed only; `pred_iou_thresh` and `stability_score_thresh`.
    """

    def __init__(self, weights: str, options: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.network, self.processor = load_sam(weights, "proposals.model.weights")
        self.options = options or {}

    def masks(self, image: NDArray[np.uint8]) -> list[Runs]:  # noqa: D102
        from transformers import pipeline

        find = pipeline("mask-generation", model=self.network, image_processor=self.processor, device=self.device)
        # At any other size transformers 5.24 puts SAM 2's points where no square is, and fills the memory with masks.
        found = find(as_seen(self.processor, Image.fromarray(image)), **self.options)["masks"]
        size = image.shape[1], image.shape[0]
        full = (cv2.resize(np.asarray(one, np.uint8), size, interpolation=cv2.INTER_NEAREST) for one in found)
        return [runs for one in full if len(runs := runs_of(one > 0))]
