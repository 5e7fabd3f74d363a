"""The two kinds of affinity network, and one out of a checkpoint without its training."""

from pathlib import Path
from typing import Literal, NamedTuple

from torch import Tensor

from acr_lightning.affinity.pair_affinity import boundary_affinity, feature_affinity
from acr_lightning.nets.affinity_net import AffinityNet
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.boundary_net import BoundaryNet
from acr_lightning.nets.checkpoint import load_part, read_checkpoint

Kind = Literal["features", "boundary"]
AffinityNetwork = AffinityNet | BoundaryNet


class AffinityConfig(NamedTuple):
    """All that it takes to build the network; see `AffinityLearner` for the meaning."""

    kind: Kind
    backbone: str
    output_stride: int | None
    freeze_batchnorm: bool
    freeze_backbone: bool

    def build(self, weights: str | None = None) -> AffinityNetwork:
        """A new network; `weights` as in `Backbone`."""
        backbone = Backbone(self.backbone, weights, self.output_stride, self.freeze_batchnorm)
        if self.kind == "features":
            return AffinityNet(backbone, self.freeze_backbone)
        return BoundaryNet(backbone, self.freeze_backbone)


def affinity_of(kind: Kind, output: Tensor, radius: int) -> Tensor:
    """The affinity of all pairs, `[B, D, h, w]`, from a network's features `[B, C, h, w]` or boundary logits."""
    if kind == "features":
        return feature_affinity(output, radius)
    return boundary_affinity(output.squeeze(1).sigmoid(), radius)


def load_affinity_network(path: str | Path) -> tuple[Kind, AffinityNetwork]:
    """The trained network of an `AffinityLearner` checkpoint, in eval mode, and its kind.

    Raises:
        UserError: the file is missing, damaged, or no such checkpoint.
    """
    checkpoint = read_checkpoint(path, "affinity_config", made_by="acr affinity")
    config = AffinityConfig(**checkpoint["affinity_config"])
    network = config.build()
    load_part(network, checkpoint, "network")
    return config.kind, network.eval()
