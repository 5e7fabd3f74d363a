"""`acr ablation`: variants of one experiment, with several seeds, in tables."""

from pathlib import Path
from typing import Any

from acr_lightning.cli.plan import as_folder, read_plan
from acr_lightning.cli.run import words_of

KEYS = ("base", "run", "seeds", "stages", "common", "tables")


def ablation(*, config: str, **values: Any) -> int:
    """Every variant of an experiment with every seed, then ablation.md and ablation.html: mean ± deviation.

    All is checked before the first run. Done variants are skipped, a killed one continues. The plan has the keys base,
    run, seeds, stages, common and tables. --run, --seeds and --stages set the plan's own; every other KEY is one of the
    experiment, for all variants. A variant's runs lie in folders named by its values; the same values are run once. The
    exit status is that of the first run that failed.

    Args:
        config: the plan; shipped: plans/ablation.yaml.
        **values: keys of the plan or of the experiment.
    """
    from acr_lightning.report.ablation import figures, read_row, write_tables

    plan = read_plan(config, KEYS, values)
    base, folder, seeds = plan.content["base"], Path(plan.content["run"]), plan.content["seeds"]
    cells = [
        plan.cell(f"tables.{title}.{variant}", base, _folder(folder, own, seed), seed, {**plan.common, **(own or {})})
        for title, variants in plan.content["tables"].items()
        for variant, own in variants.items()
        for seed in seeds
    ]
    if status := plan.run_cells(cells):
        return status
    tables = {
        title: [read_row(variant, [_folder(folder, own, seed) for seed in seeds]) for variant, own in variants.items()]
        for title, variants in plan.content["tables"].items()
    }
    note = f"{base}, seeds {', '.join(map(str, seeds))}: CAMs at the threshold that is best for split seed, per cent."
    print(write_tables(tables, folder, note))
    print("\n".join(figures(tables, Path(config).stem)))
    return 0


def _folder(folder: Path, values: dict[str, Any] | None, seed: int) -> Path:
    """A variant's run; the same values give the same folder, whatever a table calls them."""
    words = words_of(None, dict(sorted((values or {}).items())))
    return folder / f"{as_folder(*(word.removeprefix('--') for word in words or ['base']))}-seed{seed}"
