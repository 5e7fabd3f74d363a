"""What stages know of sizes, and refuse before anything runs; each raises a UserError with the key to change."""

from acr_lightning.chain.stage import Section
from acr_lightning.chain.values import get_value
from acr_lightning.errors import UserError


def check_batch(name: str, values: Section, devices: int) -> None:
    """Refuse a batch that cannot be shared by the devices, or split into micro-batches."""
    batch, parts = values["data"].get("batch_size"), get_value(values, ["model", "step", "micro_batches"]) or 1
    if batch is None:
        return
    if batch % devices:
        raise UserError(f"{name}.data.batch_size: {batch} photos cannot be shared evenly by {devices} devices")
    if batch // devices % parts:
        raise UserError(
            f"{name}.model.step.micro_batches: the {batch // devices} photos of a device cannot be split evenly in "
            f"{parts}"
        )


def check_scales(name: str, values: Section, devices: int) -> None:
    """Refuse inference at no scale."""
    if not values["model"].get("scales", True):
        raise UserError(f"{name}.model.scales: is empty; give factors of the photo's size, such as [1.0]")


def check_refiner(name: str, values: Section, devices: int) -> None:
    """Refuse a refiner that cannot be made."""
    from acr_lightning.labels.refiner import build_refiner

    build_refiner(values["refiner"], f"{name}.refiner")
