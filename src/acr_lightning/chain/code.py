"""Which code makes a result: this package's, and that of classes of other packages that a section names."""

import hashlib
import subprocess
from functools import lru_cache
from pathlib import Path

from acr_lightning.chain.stage import Section
from acr_lightning.chain.values import class_paths
from acr_lightning.classes.foreign_classes import OWN_PACKAGE
from acr_lightning.classes.module_source import reached, search_folder
from acr_lightning.classes.own_modules import admit, is_own
from acr_lightning.version import __version__

PACKAGE = Path(__file__).parents[1]
# Of a checkout: the folders whose files this package is made of.
FOLDERS = ("src", "stages")


@lru_cache
def code() -> str:
    """This package's version and, from a checkout, the last commit of its files: `0.1.0+427e130`.

    Where files differ from the commit, `-dirty-1a2b3c4d` with a digest of all files follows. It stands in manifests and
    is no part of a stage's digest: most commits change no result.
    """
    root = PACKAGE.parents[1]
    if not (root / ".git").exists():
        return __version__
    commit = _git(root, "log", "-1", "--format=%h", "--", *FOLDERS)
    changes = _git(root, "status", "--porcelain", "--", *FOLDERS) and _digest(
        {str(path.relative_to(root)): path for folder in FOLDERS for path in (root / folder).rglob("*.py")}
    )
    return f"{__version__}+{commit.strip()}" + (f"-dirty-{changes[:8]}" if changes else "") if commit else __version__


def _git(root: Path, *words: str) -> str:
    """What git says of this package's checkout; nothing where it says nothing."""
    # Otherwise git would run the program that its configuration names as a file monitor.
    words = ("git", "-C", str(root), "-c", "core.fsmonitor=false", *words)
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def foreign_code(section: Section) -> dict[str, str]:
    """For each class of another package in a section, a digest of its module and of what this imports beside it."""
    digests = {}
    for class_path in class_paths(section):
        module = class_path.rpartition(".")[0]
        if class_path.partition(".")[0] == OWN_PACKAGE:
            continue
        admit(module)
        if folder := search_folder(module):
            # From the working folder all that it imports; from a library only what lies beside it.
            within = "" if is_own(module) else module.rpartition(".")[0] or module
            digests[class_path] = _digest(reached(folder, module, within))
    return digests


def _digest(files: dict[str, Path]) -> str:
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
