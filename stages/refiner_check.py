"""What the stages with a refiner check before anything runs."""

from collections.abc import Callable

from acr_lightning.chain.stage import Section


def check_refiner(where: str, part: str | None = None) -> Callable[[Section, int], None]:
    """A stage's check that its refiner can be made.

    Args:
        where: the key, for the message.
        part: of the section that has it; None for a stage that is a function.
    """

    def check(values: Section, devices: int) -> None:
        from acr_lightning.labels.refiner import build_refiner

        build_refiner((values[part] if part else values)["refiner"], where)

    return check
