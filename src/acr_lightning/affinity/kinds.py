"""The two kinds of affinity network, and what each one's result says of pairs."""

from typing import Literal

from torch import Tensor

from acr_lightning.affinity.pair_affinity import boundary_affinity, feature_affinity
from acr_lightning.nets.affinity_net import AffinityNet, AffinityNetwork
from acr_lightning.nets.backbone import Backbone
from acr_lightning.nets.boundary_net import BoundaryNet

Kind = Literal["features", "boundary"]
NETWORKS: dict[Kind, type[AffinityNet] | type[BoundaryNet]] = {"features": AffinityNet, "boundary": BoundaryNet}


def build_affinity_network(kind: Kind, backbone: Backbone, freeze_backbone: bool) -> AffinityNetwork:
    """A new network of a kind; see `AffinityLearner`."""
    return NETWORKS[kind](backbone, freeze_backbone)


def affinity_of(network: AffinityNetwork, output: Tensor, radius: int) -> Tensor:
    """The affinity of all pairs, `[B, D, h, w]`, from a network's features `[B, C, h, w]` or boundary logits."""
    if isinstance(network, BoundaryNet):
        return boundary_affinity(output.squeeze(1).sigmoid(), radius)
    return feature_affinity(output, radius)
