"""Published order against measured order: the seed column of docs/benchmark.md against a `comparison.csv`.

python -m benchmarks.order runs/benchmark/comparison.csv [--table 'Methods on VOC-6']
"""

import argparse
import csv
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from acr_lightning.report.variant_row import parts_of

PUBLISHED = Path(__file__).parents[1] / "docs" / "benchmark.md"


class Method(NamedTuple):
    """A method's published mIoU of the CAM, and here: that in its own way of reading, and the gain of each seed."""

    published: float
    measured: float
    gains: list[float]


def published_seeds(page: str) -> dict[str, float]:
    """Scores of the CAM by method, from the table whose head has a column `seed`; of several ways the last."""
    lines = [[cell.strip() for cell in line.strip("| ").split("|")] for line in page.splitlines() if line[:1] == "|"]
    (head,) = (line for line in lines if "seed" in line)
    rows = lines[lines.index(head) + 2 :]
    seeds = ((row[0].partition(" on ")[0], row[head.index("seed")].split()) for row in rows if len(row) == len(head))
    return {name: float(seed[0]) for name, seed in seeds if seed}


def methods_of(rows: list[dict[str, str]], published: Mapping[str, float]) -> dict[str, Method]:
    """The methods of a table that have both a published and a measured score; a longer regime is left out."""
    values = {(row["variant"], row["column"]): row for row in rows}
    methods = {}
    for variant in dict.fromkeys(row["variant"] for row in rows):
        name, readout = parts_of(variant)
        method = name.partition(" on ")[0]
        if not readout and method in published and (variant, "CAM") in values:
            gains = values.get((variant, "gain"), {"values": ""})["values"].split()
            mean = float(values[variant, "CAM"]["mean"])
            methods[method] = Method(published[method], mean, [float(gain) for gain in gains])
    return methods


def lines(methods: Mapping[str, Method]) -> Iterator[str]:
    """A row for each method in the published order, then how many pairs are in the same order."""
    ranks = sorted(methods, key=lambda name: -methods[name].measured)
    yield "| method | published | measured | place, published | place, measured | seeds above the control |"
    yield "|---|---|---|---|---|---|"
    for place, name in enumerate(sorted(methods, key=lambda name: -methods[name].published), 1):
        one = methods[name]
        above = f"{sum(gain > 0 for gain in one.gains)} of {len(one.gains)}" if one.gains else "–"
        yield f"| {name} | {one.published} | {one.measured:.1f} | {place} | {ranks.index(name) + 1} | {above} |"
    pairs = [
        (a.published - b.published) * (a.measured - b.measured) for a, b in itertools.combinations(methods.values(), 2)
    ]
    decided = [pair for pair in pairs if pair]
    yield f"figure order.pairs {len(decided)}"
    yield f"figure order.pairs_as_published {sum(pair > 0 for pair in decided)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("comparison", type=Path)
    parser.add_argument("--table", help="its title, if there are several; the first if not given")
    options = parser.parse_args()
    with options.comparison.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    title = options.table or rows[0]["table"]
    chosen = [row for row in rows if row["table"] == title]
    if not chosen:
        raise SystemExit(f"{options.comparison}: no table {title!r}; it has {sorted({row['table'] for row in rows})}")
    print(*lines(methods_of(chosen, published_seeds(PUBLISHED.read_text()))), sep="\n")


if __name__ == "__main__":
    main()
