"""Published against measured order, by hand."""

from benchmarks.order import Method, lines, methods_of, published_seeds

PAGE = """
| method | network | seed | here |
|---|---|---|---|
| A | RN50 | 55.4 ¹ | `A` |
| none | RN50 | | no |
| B on A | RN50 | 58.4 | `B` |
| B on C | RN50 | 50.8 ³ | `B` |
| C | RN50 | 56.0 | `C` |

| method | VOC |
|---|---|
| A | 1.0 |
"""


def test_the_last_published_seed_of_each_method():
    assert published_seeds(PAGE) == {"A": 55.4, "B": 50.8, "C": 56.0}


def row(variant, column, mean, values=""):
    return {"variant": variant, "column": column, "mean": str(mean), "values": values}


def test_what_a_table_measured_of_them():
    rows = [
        row("plain", "CAM", 40.0), row("A", "CAM", 41.0), row("A", "gain", 1.0, "2.0 0.0"), row("A", "steps", 400),
        row("A by prototypes", "CAM", 60.0), row("B on plain", "CAM", 39.0), row("C, long", "CAM", 70.0),
    ]  # fmt: skip
    methods = methods_of(rows, published_seeds(PAGE))
    assert methods == {"A": Method(55.4, 41.0, [2.0, 0.0]), "B": Method(50.8, 39.0, [])}


def test_places_and_pairs():
    methods = {"A": Method(55.4, 41.0, [2.0, -1.0]), "B": Method(50.8, 43.0, []), "C": Method(56.0, 42.0, [1.0, 2.0])}
    assert [*lines(methods)][2:] == [
        "| C | 56.0 | 42.0 | 1 | 2 | 2 of 2 |",
        "| A | 55.4 | 41.0 | 2 | 3 | 1 of 2 |",
        "| B | 50.8 | 43.0 | 3 | 1 | – |",
        "figure order.pairs 3",
        "figure order.pairs_as_published 1",  # C above A; B is above both here, and below them there
    ]
