"""What the documents say about the repository is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Where a reader looks for a file that a document names: from the top, or in the library.
PLACES = (ROOT, ROOT / "src" / "acr_lightning")
NAMED = r"`((?:[\w-]+/)+\w+\.py|(?:src|stages|tests|docs|configs|examples)/[\w/.-]*)`"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_links_lead_somewhere(document):
    text = document.read_text()
    files = set(re.findall(NAMED, text))
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    lost = {name for name in files if not any((place / name).exists() for place in PLACES)}
    assert not lost | {link for link in links if not (document.parent / link).exists()}


def test_every_formula_of_the_method_is_on_the_map():
    """A file of the method that the map leaves out is one that its reader never finds."""
    text = (ROOT / "docs" / "method.md").read_text()
    folder = ROOT / "src" / "acr_lightning" / "methods" / "acr"
    lost = [path.name for path in folder.glob("*.py") if f"methods/acr/{path.name}" not in text]
    assert set(lost) <= {"__init__.py", "monitor.py", "step_input.py"}
