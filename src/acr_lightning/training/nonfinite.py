"""What happens when a loss is not a finite number, without asking the device at every step."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from acr_lightning.errors import UserError


class NonFinite:
    """Takes the gradient out of updates whose loss is not finite, counts them, and stops a run that cannot recover.

    Args:
        limit: how many in a row, of one update, are too many.

    Attributes:
        skipped: how many there were, by the update's name.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.skipped: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), dtype=torch.long))
        self._in_a_row: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), dtype=torch.long))

    def leave_out(self, update: str, finite: Tensor, parameters: Iterable[nn.Parameter]) -> None:
        """Set the gradients to 0 if the loss is not finite; all on the device.

        Args:
            update: its name.
            finite: whether its loss is finite, on all devices: a bool without dimensions.
            parameters: whose gradients may be touched.
        """
        if finite.device.type != "cpu" or not finite:  # asking makes a GPU wait, and costs a CPU nothing
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.masked_fill_(~finite, 0.0)
        self.skipped[update] = self.skipped[update].to(finite.device) + ~finite
        self._in_a_row[update] = (self._in_a_row[update].to(finite.device) + 1) * ~finite

    def stop_if_hopeless(self, where: str) -> None:
        """Ask the device how it went.

        Raises:
            UserError: too many in a row were not finite.
        """
        for update, count in self._in_a_row.items():
            if count >= self.limit:
                raise UserError(
                    f"the loss of {update} was not finite {int(count)} times in a row, last in {where}; lower "
                    "model.optimizer.lr, set model.optimizer.gradient_clip_val, or set trainer.precision to "
                    "bf16-mixed or 32-true"
                )
