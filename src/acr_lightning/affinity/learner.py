"""The affinity network as a LightningModule, trained on what is certain in the CAMs."""

from typing import Any, Literal

from torch.nn import functional as F

from acr_lightning.affinity.affinity_net import AffinityNet, AffinityNetwork
from acr_lightning.affinity.boundary_net import BoundaryNet
from acr_lightning.affinity.pair_loss import pair_kinds, pair_loss
from acr_lightning.nets.backbone import Backbone
from acr_lightning.training.alternating import AlternatingModule, Update
from acr_lightning.training.optimisation import OptimizerSettings
from acr_lightning.training.whole_batch import mean_of_processes

Kind = Literal["features", "boundary"]
NETWORKS: dict[Kind, type[AffinityNet] | type[BoundaryNet]] = {"features": AffinityNet, "boundary": BoundaryNet}


class AffinityLearner(AlternatingModule):
    """AffinityNet (PSA, CVPR 2018) or IRN's boundary branch (CVPR 2019) on any backbone.

    Args:
        num_classes: K (taken from the data set; affinity itself knows no classes).
        kind: `features` (PSA: cells are alike when their features are) or `boundary` (IRN: cells are alike when no
            boundary lies between them).
        backbone: a timm CNN or `resnet38d`.
        weights: ImageNet weights: `lite0` (a Python package), `timm` (timm's hub), a file, or null.
        output_stride: of the backbone: 8, 16 or 32; null is its own.
        freeze_batchnorm: keep BatchNorm as it is; set false for a network that starts from random weights.
        freeze_backbone: train the new layers alone; null is as published, false for `features`, true for `boundary`.
        radius: of the pairs that are learned from, in cells of the network's result.
        optimizer: of the network. The releases pass their weight decay in momentum's place, so 5e-4 and 1e-4 are as
            published.
    """

    described = "network"
    knows_classes = False

    def __init__(
        self,
        num_classes: int = 1,
        kind: Kind = "features",
        backbone: str = "resnet38d",
        weights: str | None = None,
        output_stride: int | None = None,
        freeze_batchnorm: bool = True,
        freeze_backbone: bool | None = None,
        radius: int = 5,
        optimizer: OptimizerSettings = OptimizerSettings(lr=0.1, momentum=5e-4),
    ) -> None:
        super().__init__(optimizer)
        self.radius = radius
        is_frozen = kind == "boundary" if freeze_backbone is None else freeze_backbone
        whole = Backbone(backbone, weights, output_stride, freeze_batchnorm)
        self.network: AffinityNetwork = NETWORKS[kind](whole, is_frozen)

    def training_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """One batch."""
        self.update("network", "affinity", [batch], self.losses)
        self.step_schedules()

    def losses(self, batch: dict[str, Any]) -> Update:
        """The pair loss at the size of the network's result; a cell has the label of the pixel at its centre."""
        output = self.network(self.network.backbone.normalise(batch["image"]))
        labels = F.interpolate(batch["label"][:, None].float(), output.shape[-2:], mode="nearest-exact")[:, 0].long()
        kinds = pair_kinds(labels, self.radius)
        mean_of_processes(counts := kinds.flatten(1).sum(dim=1).float())
        terms = pair_loss(self.network.affinity(output, self.radius), kinds, counts)
        return Update(terms.total(), terms._asdict())
