"""What a stage with a Trainer shows while it runs."""

from typing import Any

from acr_lightning.chain.stage import Section


def progress_bar(section: Section) -> list[Any]:
    """A progress bar, unless the Trainer is to have none (the logs of a cluster)."""
    from lightning.pytorch.callbacks import RichProgressBar

    return [] if section["trainer"].get("enable_progress_bar") is False else [RichProgressBar(leave=True)]
