"""Several processes that tell each other their gradients once an update."""

import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy

from acr_lightning.training.alternating import AlternatingModule


class OneMessage(DDPStrategy):
    """Several processes without DDP's reducer, which would send all networks in every backward pass.

    `AlternatingModule` sends the gradients of the player whose turn it is, once an update. Any other module is DDP's.
    """

    def configure_ddp(self) -> None:
        """Begin with the first process's weights."""
        if not isinstance(self.lightning_module, AlternatingModule):
            return super().configure_ddp()
        for value in self.lightning_module.state_dict().values():
            weights = value.contiguous()
            dist.broadcast(weights, 0)
            value.copy_(weights)
