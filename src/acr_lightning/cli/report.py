"""`acr report`: one HTML page of runs."""

from pathlib import Path
from typing import Any

from acr_lightning.artefacts.manifest import require_trained
from acr_lightning.cli import run as chain_commands
from acr_lightning.errors import UserError


def report(
    *runs: str,
    output: str | None = None,
    allow: str | list[str] | None = None,
    config: str | None = None,
    **values: Any,
) -> int:
    """One HTML page, the RUNS side by side; with --config as the stage of a chain.

    Runs may come from anyone: photos are shown where they are those that the first run was made from, and nothing but
    the page is written.

    Args:
        runs: folders of runs; photos are shown from the first.
        output: the page; report.html in the first run if none is given.
        allow: a package, beside acr_lightning, whose data set a run may name: you trust its code; or `[several, ones]`.
        config: an experiment file: the stage `report` of its run.
        **values: of the stage's section, or of the experiment.
    """
    if not runs:
        if config is None:
            raise UserError("give the folders of runs, or --config FILE; see acr report --help")
        own = {"output": output, "allow": allow, **values}
        return chain_commands.stage(
            "report", config=config, **{key: one for key, one in own.items() if one is not None}
        )
    if values:
        raise UserError(f"--{next(iter(values))}: goes with --config")
    for run in runs:
        require_trained(Path(run))
    from acr_lightning.report.page import write_report

    page = Path(output or Path(runs[0]) / "report.html")
    write_report([Path(run) for run in runs], page, allow=[allow] if isinstance(allow, str) else allow or ())
    print(page)
    return 0
