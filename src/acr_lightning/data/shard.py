"""Sharing out the photos of a stage between jobs that know nothing of each other, on many machines."""

import re
from typing import TypeVar

from acr_lightning.errors import UserError

Item = TypeVar("Item")


def of_shard(ids: list[Item], shard: str | None) -> list[Item]:
    """The ids that one job does; together the jobs do each exactly once.

    Args:
        ids: of all photos.
        shard: `3/16` is the third of sixteen jobs; None does all.

    Raises:
        UserError: not of that form, or not from 1 to the number of jobs.
    """
    if shard is None:
        return ids
    match = re.fullmatch(r"(\d+)/(\d+)", str(shard))
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UserError(f"shard: '{shard}' is no part of a whole; write 1/16 to 16/16 for sixteen jobs")
    return ids[int(match[1]) - 1 :: int(match[2])]
