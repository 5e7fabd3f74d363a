"""What others named stays text in the model card and in tables of scores."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from acr_lightning.metrics.confusion import scores
from acr_lightning.report.markdown import plain
from acr_lightning.report.run_scores import table

HOSTILE = [
    "![](http://example.com/seen.png)", "[x](javascript:alert(1))", "[x][y]", "[y]: http://example.com", "<b>", "&lt;",
    "<http://example.com>", "`code`", "**bold**", "_soft_", "a|b", "a\\|b", "\\", "a\\", "~~gone~~", "# head",
    "\x1b[31mred",
]  # fmt: skip


def pieces(text):
    """The kinds of what a Markdown reader makes of a text, and the text that is seen."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    tokens = [token for block in blocks for token in (block.children if block.type == "inline" else [block])]
    seen = "".join(token.content for token in tokens if token.type == "text")
    return {token.type for token in tokens}, seen


def row_of(text):
    return f"| what |\n|---|\n| {plain(text)} |\n"


PLAIN_ROW = pieces(row_of("dog"))[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_nothing_but_text(name):
    for row in (row_of(name), f"* Method: {plain(name)}.\n", f"# Model card: {plain(name)}\n"):
        kinds, _ = pieces(row)
        assert not kinds & {"link_open", "image", "html_inline", "code_inline", "strong_open", "em_open", "s_open"}
    kinds, seen = pieces(row_of(name))
    assert kinds == PLAIN_ROW
    assert seen == f"what{' '.join(name.replace(chr(27), ' ').split())}"


@given(st.text(st.sampled_from("ab[]()!<>|\\`*_~&;:/.#- \n\r\u2028\x1b")))
def test_any_text_stays_in_its_cell(text):
    kinds, seen = pieces(row_of(text))
    assert kinds <= PLAIN_ROW
    assert seen == f"what{' '.join(text.replace(chr(27), ' ').split())}"


@pytest.mark.parametrize("address", ["http://example.com", "HTTPS://example.com", "www.example.com", "WWW.example.com"])
def test_a_bare_address_becomes_no_link(address):
    """GitHub looks for `http://` and `www.` in what is written, wherever a word may begin."""
    for text in (address, f"_{address}", f"({address})"):
        assert "http://" not in plain(text).lower().replace("https", "http")
        assert "www." not in plain(text).lower()
    assert pieces(plain(address))[1] == address


@pytest.mark.parametrize("name", ["dog", "potted_plant", "traffic light", "né(e), 50 %", "C++", "[1.0, 1.5]", "3 > 2!"])
def test_ordinary_names_are_written_as_they_are(name):
    assert plain(name) == name


def test_a_table_of_scores_holds_no_link(rng):
    names = ["background", "![](http://example.com/seen.png)", "a|b"]
    records = [
        {"what": "<img src=x>", "split": "[x](javascript:alert(1))", **scores(rng.integers(1, 9, (3, 3)), names)}
    ]
    kinds, seen = pieces(table(records))
    assert kinds == PLAIN_ROW
    assert all(name in seen for name in (*names, "<img src=x>"))
