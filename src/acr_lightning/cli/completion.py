"""`acr completion`: commands, options and names after the Tab key, for bash and zsh."""

import importlib
import inspect
from collections.abc import Iterable, Mapping

from acr_lightning.chain.experiment_file import SHARED, shipped_configs
from acr_lightning.chain.stage import SECTION_KEYS
from acr_lightning.cli.listing import KINDS
from acr_lightning.errors import UserError, nearest
from acr_lightning.stages.chain import CHAIN

SHELLS = ("bash", "zsh")
# What bash's completion needs in zsh.
ZSH = "autoload -Uz compinit bashcompinit && compinit && bashcompinit\n"
# `=` is a word of its own in bash. A key that ends with a dot goes on, so no space follows it.
SCRIPT = """_acr() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" key="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    if [ "$word" = "=" ]; then
        word=""
    elif [ "$key" = "=" ]; then
        key="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    case "$COMP_CWORD $key" in
        {keys}
        "1 "*) words="{commands}" ;;
        *) case "${{COMP_WORDS[1]}} ${{COMP_WORDS[2]}}" in
            {options}
        esac ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    case "${{COMPREPLY[0]}}" in *.) compopt -o nospace 2>/dev/null ;; esac
    return 0
}}
complete -o default -F _acr acr
"""


def completion(shell: str, /) -> int:
    """Print what a shell reads to complete commands, options and names. SHELL is bash or zsh.

    For bash, put `source <(acr completion bash)` into ~/.bashrc; for zsh the same with zsh into ~/.zshrc.

    Args:
        shell: which one.

    Raises:
        UserError: it is another one.
    """
    if shell not in SHELLS:
        raise UserError(f"no completion for '{shell}'.{nearest(shell, SHELLS)} Known: {', '.join(SHELLS)}")
    print((ZSH if shell == "zsh" else "") + script(), end="")
    return 0


def script() -> str:
    """The function that bash calls."""
    from acr_lightning.cli.main import COMMANDS

    names = {"config": shipped_configs(), **{choice: [*presets] for choice, presets in CHAIN.presets.items()}}
    first = dict.fromkeys(name.partition(" ")[0] for name in COMMANDS)
    keys: dict[str, Iterable[str]] = {f'*" --{key}"': values for key, values in names.items()}
    keys |= {'"2 list"': KINDS, '"2 completion"': SHELLS}
    for name in first:
        if below := [two.partition(" ")[2] for two in COMMANDS if two.startswith(f"{name} ")]:
            keys[f'"2 {name}"'] = below
    options = {f'"{name}"' if " " in name else f'"{name} "*': _options(name, COMMANDS[name][0]) for name in COMMANDS}
    return SCRIPT.format(commands=" ".join(first), keys=_cases(keys, 8), options=_cases(options, 12))


def _cases(words: Mapping[str, Iterable[str]], indent: int) -> str:
    return ("\n" + " " * indent).join(f'{pattern}) words="{" ".join(one)}" ;;' for pattern, one in words.items())


def _options(command: str, where: str) -> list[str]:
    """The options of a command, and the first parts of the keys that it takes."""
    # `acr affinity` hands all options to `acr run`.
    module, _, function = ("run.run" if command == "affinity" else where).partition(".")
    parameters = inspect.signature(getattr(importlib.import_module(f"acr_lightning.cli.{module}"), function)).parameters
    names = [name for name, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        names += [*SHARED, *CHAIN.presets]
        names += [*CHAIN.stages[command].keys] if command in CHAIN.stages else [f"{name}." for name in CHAIN.stages]
    return [f"--{name}." if name in SECTION_KEYS[1:] else f"--{name}" for name in dict.fromkeys([*names, "help"])]
