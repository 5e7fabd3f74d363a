"""What happens when a loss is not a finite number."""

from collections import Counter

from acr_lightning.errors import UserError


class NonFiniteGuard:
    """Counts the updates that are skipped because their loss is not finite, and stops a run that cannot recover.

    Args:
        limit: how many in a row, of one network, are too many.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.skipped: Counter[str] = Counter()
        self._in_a_row: Counter[str] = Counter()

    def allows(self, update: str, finite: bool, where: str) -> bool:
        """Whether to do an update.

        Args:
            update: its name, `ru` or `cu`.
            finite: whether its loss is finite, on all devices.
            where: epoch and batch, for the message.

        Raises:
            UserError: too many in a row were not.
        """
        if finite:
            self._in_a_row[update] = 0
            return True
        self.skipped[update] += 1
        self._in_a_row[update] += 1
        if self._in_a_row[update] >= self.limit:
            raise UserError(
                f"fit: the loss of {update} was not finite {self.limit} times in a row, last in {where}; "
                "lower model.lr, set model.gradient_clip_val, or set trainer.precision to bf16-mixed or 32-true"
            )
        return False
