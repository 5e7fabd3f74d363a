"""`acr ablation`: variants of one experiment, with several seeds, in tables."""

import hashlib
import json
from pathlib import Path
from typing import Any

from acr_lightning.cli.plan import Cell, read_plan, run_cells

KEYS = ("base", "run", "seeds", "stages", "common", "tables")


def ablation(*, config: str, **values: Any) -> int:
    """Every variant of an experiment with every seed, then ablation.md and ablation.html: mean ± deviation.

    Done variants are skipped, a killed one continues. The plan has the keys base, run, seeds, stages, common and
    tables. --run, --seeds and --stages set the plan's own; every other KEY is one of the experiment, for all variants.
    The exit status is that of the first run that failed.

    Args:
        config: the plan; shipped: ablation/voc6.yaml.
        **values: keys of the plan or of the experiment.
    """
    from acr_lightning.report.ablation import figures, read_row, write_tables

    plan, common = read_plan(config, KEYS, values)
    folder, seeds = Path(plan["run"]), plan["seeds"]
    cells = [
        Cell(
            f"ablation: {variant}, seed {seed}",
            plan["base"],
            {"run": str(_folder(folder, own, seed)), "seed": seed, "stages": plan["stages"], **common, **own},
        )
        for variants in plan["tables"].values()
        for variant, own in variants.items()
        for seed in seeds
    ]
    if status := run_cells(cells):
        return status
    tables = {
        title: [read_row(variant, [_folder(folder, own, seed) for seed in seeds]) for variant, own in variants.items()]
        for title, variants in plan["tables"].items()
    }
    seeds_text = ", ".join(map(str, seeds))
    note = f"{plan['base']}, seeds {seeds_text}: CAMs at the threshold that is best for split seed, per cent."
    print(write_tables(tables, folder, note))
    print("\n".join(figures(tables, Path(config).stem)))
    return 0


def _folder(folder: Path, values: dict[str, Any], seed: int) -> Path:
    """A variant's run; the same values give the same folder, whatever a table calls them."""
    name = "-".join(f"{key.rpartition('.')[2]}={value}" for key, value in sorted(values.items())) or "base"
    if len(name) > 100:
        name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
    return folder / f"{name}-seed{seed}"
