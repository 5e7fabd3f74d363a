import re

import pytest

from acr_lightning.methods.acr.collapse import collapse


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"monitor/cam_area": 0.01}, "covers 1.0% .* lower model.cu.target or raise model.cu.non_target"),
        ({"monitor/cam_area": 0.95}, "covers 95% .* lower model.cu.non_target"),
        ({"monitor/cam_area": 0.2, "force/classification": 0.1, "force/target": 5.0}, "pulls 50 times as hard"),
        ({"monitor/cam_area": 0.2, "force/classification": 0.1, "force/target": 0.5}, None),
        ({"monitor/cam_area": 0.3}, None),
        ({}, None),
    ],
)
def test_a_lost_game_is_named(values, said):
    found = collapse(values)
    assert (found is None) == (said is None)
    if said:
        assert re.search(said, found)
