"""What is built into the wheel is all that there is."""

from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_in_the_wheel():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["options"]["packages"].split())
    library = ROOT / "src"
    there = {".".join(path.parent.relative_to(library).parts) for path in library.rglob("__init__.py")}
    # `configs` and `stages` lie at the top of the repository.
    assert listed == there | {"acr_lightning.configs", "acr_lightning.stages"}
