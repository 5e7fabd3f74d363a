"""The section of a stage that is a plain typed function."""

from collections.abc import Callable
from typing import Any

from acr_lightning.chain.check import check_values
from acr_lightning.chain.signature import signature_of_function
from acr_lightning.chain.stage import Section
from acr_lightning.classes.class_names import build
from acr_lightning.data.tagged import TaggedDataset


def run_function(function: Callable[..., Any], section: Section) -> Any:
    """Call a stage function with its section's values; its data set is built from `class_path` and `init_args`."""
    values = check_values(section, signature_of_function(function), function.__name__)
    if "dataset" in section:
        values["dataset"] = build(section["dataset"], "dataset", TaggedDataset)
    return function(**values)
