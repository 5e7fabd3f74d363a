"""`acr completion`: what bash offers after the Tab key."""

import shutil
import subprocess

import pytest
from commands import here

from acr_lightning.cli.main import COMMANDS
from acr_lightning.stages.chain import CHAIN

# The line, in bash's words (`=` is one), and some of what is offered for the last word.
LINES = [
    (["acr", "ex"], {"export"}),
    (["acr", "data", ""], {"check", "download"}),
    (["acr", "data", "check", "--pa"], {"--pack"}),
    (["acr", "fit", "--mo"], {"--model."}),
    (["acr", "fit", "--config", "voc6.yaml", "--for"], {"--force"}),
    (["acr", "label", "--thr"], {"--threshold"}),
    (["acr", "run", "--segm"], {"--segment", "--segment."}),
    (["acr", "run", "--config", "voc6_f"], {"voc6_finetuned.yaml"}),
    (["acr", "run", "--config", "=", "voc6_f"], {"voc6_finetuned.yaml"}),
    (["acr", "run", "--affinity", "="], {"psa", "irn", "rib"}),
    (["acr", "run", "--config", "wan"], set()),  # W&B's sweep is no experiment
    (["acr", "list", "ba"], {"backbones"}),
    (["acr", "affinity", "--print"], {"--print_config"}),
    (["acr", "completion", "z"], {"zsh"}),
    (["acr", "nothing", "--x"], set()),
]


def printed(shell, capsys):
    assert here("completion", shell) == 0
    return capsys.readouterr().out


def test_bash_offers_what_fits(capsys):
    script = printed("bash", capsys)
    for words, _ in LINES:
        line = " ".join(f"'{word}'" for word in words)
        script += f'COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); _acr; echo "${{COMPREPLY[*]}}"\n'
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [set(line.split()) for line in done.stdout.splitlines()] == [offered for _, offered in LINES]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_is_one_that_the_shell_reads(shell, capsys):
    script = printed(shell, capsys)
    for word in [*CHAIN.stages, *(part for name in COMMANDS for part in name.split())]:
        assert word in script
    assert script.startswith("autoload") == (shell == "zsh")
    reader = shutil.which(shell) or "bash"
    subprocess.run([reader, "-n"], input=script, text=True, check=True)


def test_another_shell(capsys):
    assert here("completion", "fish") == 2
    assert capsys.readouterr().err.strip() == "acr completion: no completion for 'fish'. Known: bash, zsh"
