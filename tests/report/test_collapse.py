import re

import pytest

from acr_lightning.report.collapse import collapse


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"monitor/cam_area": 0.01, "cu/target": -0.1},
            "covers 1.0% .* lower model.cu.target or raise model.cu.non_",
        ),
        ({"monitor/cam_area": 0.95, "cu/target": -0.1}, "covers 95% .* lower model.cu.non_target"),
        ({"monitor/cam_area": 0.01}, None),  # a classifier that begins, or the control
        ({"monitor/cam_area": 0.3, "cu/target": -0.1}, None),
        ({}, None),
    ],
)
def test_a_lost_game_is_named(values, said):
    found = collapse(values)
    assert (found is None) == (said is None)
    if said:
        assert re.search(said, found)
