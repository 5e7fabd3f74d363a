"""The working folder is searched for the classes that an experiment names, and for nothing else."""

import os
import subprocess
import sys

import pytest

from acr_lightning.classes.module_source import reached

# What libraries try to import, which is not installed here: torch, torchvision, and their like.
TRIED = ("opt_einsum", "pynvml", "tabulate", "accimage", "defusedxml")
OWN = "import opt_einsum\n\n\nclass Own:\n    def __init__(self) -> None:\n        import sibling\n"


@pytest.fixture
def folder(tmp_path):
    for name in TRIED:
        (tmp_path / f"{name}.py").write_text(f"open('ran_{name}', 'w').close()\n")
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "sibling.py").write_text("")
    return tmp_path


def run(folder, *words):
    env = {key: value for key, value in os.environ.items() if key != "ACR_OWN_MODULES"}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {path.name for path in folder.glob("ran_*")}


@pytest.mark.parametrize("start", [["-m", "acr_lightning"], ["-P", "-m", "acr_lightning"]])
def test_no_library_is_answered_by_the_working_folder(folder, start):
    assert run(folder, *start, "list", "timm") == set()  # imports torch, torchvision and timm


def test_an_own_class_is_found_with_what_it_imports(folder):
    code = (
        "import sys, multiprocessing; from acr_lightning.classes.class_names import import_class; import torch\n"
        "if __name__ == '__main__':\n"
        "    own = import_class('own.Own', 'model', object)\n"
        "    own()\n"  # imports its sibling only now
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        pool.apply(own)\n"  # and in another process
        "    assert not {'pynvml', 'tabulate'} & sys.modules.keys()\n"
    )
    (folder / "away").mkdir()
    (folder / "away" / "script.py").write_text(code)
    assert run(folder, "away/script.py") == {"ran_opt_einsum"}


def test_what_a_module_imports_is_read_from_its_source(tmp_path):
    files = {
        "pack/__init__.py": "",
        "pack/method.py": "from . import loss\nfrom .parts.net import Net\nimport elsewhere\nimport torch",
        "pack/loss.py": "from ..broken import x",
        "pack/parts/__init__.py": "",
        "pack/parts/net.py": "def later():\n    from pack import late",
        "pack/late.py": "import pack.method",
        "pack/unused.py": "",
        "elsewhere.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    names = {"pack", "pack.method", "pack.loss", "pack.parts", "pack.parts.net", "pack.late"}
    assert reached(tmp_path, "pack.method").keys() == {*names, "elsewhere"}
    assert reached(tmp_path, "pack.method", "pack").keys() == names
