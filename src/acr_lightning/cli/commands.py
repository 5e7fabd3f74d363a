"""What `acr run`, `acr report` and the stage commands do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from acr_lightning.chain.check import check
from acr_lightning.chain.experiment import Experiment
from acr_lightning.chain.experiment_file import SHARED, load
from acr_lightning.chain.runner import is_done_before, run_stage
from acr_lightning.cli.arguments import Arguments, parse
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

# `acr cam --shard 3/16`, as `acr label --shard 3/16`, without having to know where it goes.
SHARD = {(name, "shard"): "data.shard" for name in ("cam", "evaluate")}

REPORT_USAGE = """usage: acr report RUN [RUN …] [--output FILE] [--allow PACKAGE]

One HTML page, the runs side by side. The data set that a run names is made only if it is of acr_lightning, or of a
package whose code you trust and name with --allow, as often as needed.
"""


def chosen(name: str, words: list[str]) -> int:
    """`acr affinity`: the stages that a preset of this name adds, as `acr run` does them."""
    return run([*words, f"--stages={name}"])


def stage(name: str, words: list[str]) -> int:
    """`acr fit|cam|label|segment|evaluate`: one stage in this process."""
    found = parse(words)
    _no_words(found)
    if "--help" in found.flags:
        from acr_lightning.cli.stage_help import print_help

        print_help(name)
        return 0
    # Shared keys stand at the top of an experiment, all others belong to this stage's section.
    values = [
        (key if _is_shared(key) else f"{name}.{SHARD.get((name, key), key)}", value) for key, value in found.values
    ]
    experiment = load(CHAIN, found.config, values)
    if not shown_or_checked(name, experiment, found):
        run_stage(experiment, name, force="--force" in found.flags)
    return 0


def shown_or_checked(name: str, experiment: Experiment, found: Arguments) -> bool:
    """Do what `--print_config` and `--check` ask for; whether one of them was given."""
    if "--print_config" in found.flags:
        print(yaml.safe_dump(_jsonable(experiment.section(name)), sort_keys=False), end="")
    elif "--check" in found.flags:
        check(experiment, [name])
    return bool({"--print_config", "--check"} & found.flags)


def run(words: list[str]) -> int:
    """`acr run`: the chain, each stage in a process of its own."""
    found = parse(words)
    _no_words(found)
    if "--help" in found.flags:
        from acr_lightning.cli.main import HELP

        print(HELP)
        return 0
    experiment = load(CHAIN, found.config, found.values)
    if "--print_config" in found.flags:
        sections = {name: experiment.section(name) for name in experiment.stages}
        print(yaml.safe_dump(_jsonable(sections), sort_keys=False), end="")
        return 0
    if "--check" in found.flags:
        check(experiment, experiment.stages)
        return 0
    checked = False
    for name in experiment.stages:
        if is_done_before(experiment, name) and "--force" not in found.flags:
            print(f"{name}: done before", file=sys.stderr, flush=True)
            continue
        if not checked:
            # Once, before hours of work: a key misspelt in the last section is found now.
            if status := spawn("run", [*words, "--check"]):
                return status
            checked = True
        if status := spawn(name, _stage_words(found, name)):
            print(f"acr run: stage {name} failed (exit status {status}); the same command continues", file=sys.stderr)
            return status
    return 0


def report(words: list[str]) -> int:
    """`acr report RUN [RUN …]`, or as a stage with `--config`."""
    found = parse(words)
    if found.config and not found.words:
        return stage("report", words)
    if "--help" in found.flags or not found.words:
        print(REPORT_USAGE)
        return 0
    output, allow = str(Path(found.words[0]) / "report.html"), []
    for key, value in found.values:
        if key == "allow":
            allow += value if isinstance(value, list) else [value]
        elif key == "output":
            output = str(value)
        else:
            raise UserError(f"--{key}: no such option.{nearest(key, ('allow', 'output'))} See acr report --help")
    from acr_lightning.report.page import write_report

    write_report([Path(word) for word in found.words], Path(output), allow=allow)
    print(output)
    return 0


def _stage_words(found: Arguments, name: str) -> list[str]:
    """The command line of one stage: shared values, and the ones of its own section."""
    words = ["--config", found.config] if found.config else []
    for key, value in found.values:
        first, _, rest = key.partition(".")
        text = yaml.safe_dump(value, default_flow_style=True).removesuffix("..." + chr(10)).strip()
        if _is_shared(key) and first != "stages":
            words.append(f"--{key}={text}")
        elif first == name:
            words.append(f"--{rest}={text}")
    return words + (["--force"] if "--force" in found.flags else [])


def _is_shared(key: str) -> bool:
    """Whether a key belongs to all stages; the choice of a preset does, since it changes others, too."""
    return key.split(".")[0] in SHARED or key.removesuffix(".preset") in CHAIN.presets


def spawn(command: str, words: list[str]) -> int:
    """Run one command of `acr` in a new process; its exit status."""
    return subprocess.run([sys.executable, "-m", "acr_lightning", command, *words]).returncode


def _no_words(found: Arguments) -> None:
    if found.words:
        raise UserError(f"'{found.words[0]}' is no option; values are given as --key=value")


def _jsonable(value: Any) -> Any:
    """Plain lists for YAML's safe writer."""
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value
