"""What the documents say about the repository is there, and they keep their form."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *PAGES]
# Where a reader looks for a file that a document names: from the top, or in the library.
PLACES = (ROOT, ROOT / "src" / "acr_lightning")
NAMED = r"`((?:[\w-]+/)+\w+\.py|(?:src|stages|tests|docs|configs|examples)/[\w/.-]*)`"
README_WORDS, LINE = 1000, 120
# The figures of a table or a text: 41.5, not a version, a rate or an exponent.
FIGURE = r"(?<![\w.,−-])\d{1,2}\.\d(?![\w])"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_links_lead_somewhere(document):
    text = document.read_text()
    files = set(re.findall(NAMED, text))
    links = {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}
    lost = {name for name in files if not any((place / name).exists() for place in PLACES)}
    assert not lost | {link for link in links if not (document.parent / link).exists()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_to_a_heading_find_it(document):
    links = re.findall(r"\]\(([^):]*)#([^)]+)\)", document.read_text())
    pages = {page: document.parent / page if page else document for page, _ in links}
    assert not [f"{page}#{anchor}" for page, anchor in links if anchor not in anchors(pages[page])]


def anchors(page):
    """What GitHub and the site call the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short():
    assert len(README.read_text().split()) <= README_WORDS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_line_is_long(document):
    lines = enumerate(document.read_text().splitlines(), start=1)
    assert not [f"{document.name}:{number}" for number, line in lines if len(line) > LINE]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_opens_with_its_question(page):
    assert re.fullmatch(r"# .+\?", page.read_text().partition("\n")[0])


def test_the_site_has_every_page():
    navigation = (ROOT / "mkdocs.yml").read_text().partition("nav:")[2]
    assert sorted(re.findall(r": (\w+\.md)$", navigation, re.MULTILINE)) == [page.name for page in PAGES]


def test_the_readmes_figures_stand_on_the_page_of_results():
    """Only the README may say a figure a second time, and then the same one."""
    figures, measured = (re.findall(FIGURE, path.read_text()) for path in (README, RESULTS))
    published = re.findall(FIGURE, (ROOT / "docs" / "method.md").read_text())
    assert figures
    assert not {*figures} - {*measured, *published}


def test_a_decision_has_three_lines():
    paragraphs = (ROOT / "docs" / "decisions.md").read_text().split("\n\n")
    decisions = [text for text in paragraphs if text.startswith("**")]
    assert len(decisions) > 1
    assert not [text for text in decisions if text.count("\n") > 2]


def test_every_formula_of_the_method_is_on_the_map():
    """A file of the method that the map leaves out is one that its reader never finds."""
    text = (ROOT / "docs" / "method.md").read_text()
    folder = ROOT / "src" / "acr_lightning" / "methods" / "acr"
    lost = [path.name for path in folder.glob("*.py") if f"methods/acr/{path.name}" not in text]
    assert set(lost) <= {"__init__.py", "monitor.py", "step_input.py"}
