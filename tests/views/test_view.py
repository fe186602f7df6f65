"""A view is one value: the terminal, JSON, a page and a notebook show the same numbers."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.views import html, terminal
from rnnkit.views import json as as_json
from rnnkit.views.formats import MISSING, visible
from rnnkit.views.plot import Axis, Bars, Figure, Histogram, Line, Panel, Point, Rule
from rnnkit.views.view import (
    Cell,
    Code,
    Column,
    Entries,
    Entry,
    Frequencies,
    Grid,
    Group,
    Heading,
    Matrix,
    Notes,
    Only,
    Pair,
    Section,
    Table,
    Text,
    Tile,
    Token,
    Tokens,
    View,
    table,
)


def figure(name: str = "one") -> Figure:
    marks = (Line("a", [1, 2], [3.0, 2.0]), Point("kept", 2, 2.0), Rule("cut", 1.5))
    return Figure(name, (Panel("loss", marks, legend="above"),), "A curve.", title="Loss")


def view() -> View:
    rows = [("a<b", Cell("1", bar=0.5)), ("c", MISSING)]
    return View(
        title="Things",
        subject="runs/<x>",
        sections=(
            Section("Only text", printed="x (trained)", on="terminal"),
            Section(
                "Numbers",
                (
                    table(("name", "n"), rows, left=("name",), caption="All"),
                    Text("As they are.", muted=True),
                    Only("page", (Text("Not printed."),)),
                    Only("terminal", (Text("Not on the page."),)),
                ),
                lead="Explained.",
            ),
            Section(
                "Details",
                (Group("Step 1", (table(("", "0"), [("h", "1")], title="layer"),), is_open=True),),
                spaced=True,
                printed="",
            ),
            Section("Figures", (Grid((figure(), figure("two"))), Pair((Heading("h"),), ()))),
        ),
        document={"n": [1.0, float("nan")]},
        tiles=(Tile("n", "1", "more"),),
        notes=("Careful.",),
    )


def test_text_is_aligned_and_has_no_figures() -> None:
    assert terminal.render(view()).split("\n") == [
        "x (trained)",
        "",
        "Numbers",
        "name  n",
        "a<b   1",
        "c     -",
        "As they are.",
        "Not on the page.",
        "",
        "Step 1",
        "",
        "  layer",
        "       0",
        "    h  1",
        "",
        "Figures",
        "h",
    ]
    assert str(view()) == terminal.render(view())


def test_the_document_is_json() -> None:
    assert json.loads(as_json.render(view())) == {"n": [1.0, None]}


def test_a_page_escapes_text_and_has_everything() -> None:
    page = html.render(view())
    assert page == html.render(view())
    assert page.startswith("<!doctype html>\n<!-- rnnkit inspect -->\n")
    for shown in (
        "a&lt;b",
        "runs/&lt;x&gt;",
        "Not printed.",
        "Explained.",
        "Careful.",
        "--share:0.5",
    ):
        assert shown in page, shown
    for hidden in ("Not on the page.", "x (trained)", "<x>", "a<b"):
        assert hidden not in page, hidden
    assert page.count("<svg") == 2
    assert "://" not in page
    assert '<td class="number">–</td>' in page


def test_a_notebook_shows_the_page_in_a_frame() -> None:
    frame = view()._repr_html_()
    assert frame.startswith("<iframe srcdoc=")
    assert "sandbox" in frame
    assert "<html" not in frame  # escaped, so that the frame cannot end early


@given(st.text(st.characters(codec=None)))
def test_no_text_breaks_a_page_or_moves_a_cursor(text: str) -> None:
    shown = View(
        title=text,
        subject=text,
        sections=(
            Section(
                text,
                (
                    table((text, "n"), [(text, Cell(text, below=text))], caption=text, title=text),
                    Text(text, strong=text),
                    Code(text),
                    Notes((text,)),
                    Tokens((Token(text, 1.0, text),)),
                    Entries((Entry(((text, text),), text, text),)),
                    Frequencies(((text, 3),), text),
                    Matrix((text, "b"), ((1, 0), (2, 3)), text),
                    Group(text, (Text(text),)),
                ),
                lead=text,
            ),
        ),
        notes=(text,),
        tiles=(Tile(text, text, text),),
    )
    page = html.render(shown)
    page.encode()
    assert "<script" not in page
    printed = terminal.render(shown, colour=False)
    assert visible(printed) == printed


def test_columns_for_one_medium() -> None:
    shown = Table(
        (Column("a", "left"), Column("bar", "left", on="terminal"), Column("p", on="page")),
        (("x", "███", "0.5"),),
    )
    section = Section("s", (shown,), printed="")
    assert terminal.render_section(section) == "a  bar\nx  ███"
    page = html.render(View("t", "s", (section,)))
    assert "███" not in page
    assert "0.5" in page


def test_a_table_without_titles_has_no_header() -> None:
    shown = table(("", ""), [("a", "1")], left="all", caption="c")
    assert terminal.render_section(Section("", (shown,))) == "a  1"
    assert "<thead" not in html.render(View("t", "s", (Section("", (shown,)),)))


@pytest.mark.parametrize("module", ["terminal", "json", "view"])
def test_printing_loads_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, rnnkit.views.{module}\n"
        "print({'jinja2', 'matplotlib', 'numpy', 'rich', 'click'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_marks_are_drawn() -> None:
    marks = (
        Histogram([0, 1, 2], [3, 4], "h", outlined=True),
        Bars([0.1, -0.2], x=[0.5, 1.5], errors=[0.1, 0.1], colour=None),
    )
    shown = Figure("f", (Panel("p", marks, x=Axis(unit="percent"), legend="below"),), "d")
    page = html.render(View("t", "s", (Section("x", (shown,)),)))
    assert "200 %" in page
    assert "#0a0b" not in page


def test_tokens_have_their_numbers_behind_them() -> None:
    tokens = Tokens((Token("a<b", 0.5, "t"), Token("\n", -1.0, "u")), digits=1, spaced=True)
    page = html.render(View("t", "s", (Section("x", (tokens,)),)))
    assert '<span class="plus" style="--a:0.50" title="t">a&lt;b</span> <span' in page
    assert '<span class="minus" style="--a:1.00" title="u">⏎\n</span>' in page
    assert "-1.0<i></i>+1.0" in page
    flat = html.render(View("t", "s", (Section("x", (Tokens((Token("a", 0.0),)),)),)))
    assert "--a:0.00" in flat
