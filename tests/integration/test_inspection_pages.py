"""The pages of `rnnkit inspect` as a browser would read them, and their pictures."""

import re
import struct
from collections.abc import Callable

import pytest
from made_up_inspections import attributions, state_view
from made_up_reports import HOSTILE, LONG
from read_page import Page, check_that_nothing_is_loaded

from rnnkit.inspection.attributions import IntegratedGradients, LeaveOneOut, Method, Shapley
from rnnkit.inspection.page import (
    MARK,
    ColouredToken,
    PageSection,
    coloured_text,
    inspection_page,
)
from rnnkit.inspection.page_attributions import (
    attributions_page,
    attributions_picture,
    note_lines,
)
from rnnkit.inspection.page_states import states_page, states_picture
from rnnkit.views.canvas import PNG_MARK
from rnnkit.views.markup import escape, visible
from rnnkit.views.style import STYLE_SHEET, VARIABLES

CLASSES = [HOSTILE, "positive", LONG, "d", "e", "f"]


def page_of_attributions(*texts: str, classes: int = 2, method: Method | None = None) -> str:
    found = [attributions(text, classes=classes, sampled=len(text) > 30) for text in texts]
    return attributions_page(
        found,
        CLASSES[:classes],
        method=method or Shapley(),
        is_bidirectional=True,
        run=f"run{HOSTILE}",
    )


PAGES: dict[str, Callable[[], str]] = {
    "states": lambda: states_page(state_view(), run="run"),
    "hostile states": lambda: states_page(state_view(hostile=True), run=f"run{HOSTILE}"),
    "no ranking": lambda: states_page(state_view(ranked=False, tokens=1, units=1), run="run"),
    "attributions": lambda: page_of_attributions("not a bad film", "", f"{HOSTILE} {LONG}"),
    "many classes": lambda: page_of_attributions("a b c", classes=6),
    "a section of another": lambda: inspection_page(
        title="Gradients", run="r", facts=[], sections=[PageSection(HOSTILE, HOSTILE, "<b>x</b>")]
    ),
}


@pytest.fixture(params=PAGES, scope="module")
def text(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_nothing_is_loaded_and_nothing_runs(page: Page) -> None:
    check_that_nothing_is_loaded(page)


def test_the_page_is_a_file_in_utf_8(text: str) -> None:
    assert text.startswith(MARK)
    assert text.encode().decode() == text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_links_and_names_fit(page: Page) -> None:
    names = page.attributes("id")
    assert len(names) == len(set(names))
    links = {link[1:] for link in page.attributes("href") if link.startswith("#")}
    assert links <= set(names)
    assert links >= {name for name in names if name.startswith("part-")}
    assert page.tags()["h1"] == 1
    assert page.tags()["table"] == page.tags()["caption"]


def test_colours_are_those_of_the_page(text: str) -> None:
    assert not [stand_in for stand_in in VARIABLES if stand_in in text]
    (style,) = re.findall("<style>(.*?)</style>", text, flags=re.S)
    defined = set(re.findall(r"(--[\w-]+):", style))
    assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= defined | {"--share", "--a"}
    own = style.removeprefix(STYLE_SHEET)
    # Nothing of the report's style sheet means something else here.
    for name in re.findall(r"^\.([\w-]+)", own, flags=re.M):
        assert name in ("card", "scroll") or not re.search(rf"\.{name}\b", STYLE_SHEET), name


def test_pages_are_the_same_for_the_same_contents() -> None:
    for make in PAGES.values():
        assert make() == make()


def test_every_token_is_a_span_with_its_number() -> None:
    view = state_view(tokens=40)
    page = Page(states_page(view, run="run"))
    spans = [given for tag, given in page.elements if tag == "span" and "title" in given]
    assert len(spans) == 40 * len(view.units)
    for unit_index, unit in enumerate(view.units):
        for place, value in enumerate(unit.values):
            given = spans[40 * unit_index + place]
            assert given["title"] == f"{view.labels[place]} {value:+.3f}"
            assert given["class"] == ("plus" if value >= 0 else "minus")
            assert given["style"] == f"--a:{abs(value) / unit.largest:.2f}"


def test_hostile_texts_are_shown_as_they_are() -> None:
    shown = Page(PAGES["hostile states"]()).texts
    assert visible(HOSTILE) in shown
    assert f"run{visible(HOSTILE)}" in shown
    shown = Page(PAGES["attributions"]()).texts
    assert any(visible(HOSTILE.split()[0]) == text for text in shown)
    assert any(visible(HOSTILE) in text for text in shown)  # the name of a class


def test_a_coloured_text() -> None:
    tokens = [ColouredToken("a<b", 0.5, "t"), ColouredToken("\n", -1.0, "u")]
    markup = coloured_text(tokens, largest=1.0, digits=1, spaced=True)
    assert '<span class="plus" style="--a:0.50" title="t">a&lt;b</span> <span' in markup
    assert '<span class="minus" style="--a:1.00" title="u">⏎\n</span>' in markup
    assert "-1.0<i></i>+1.0" in markup
    flat = coloured_text([ColouredToken("a", 0.0, "t")], largest=0.0, digits=1, spaced=False)
    assert "--a:0.00" in flat


def test_the_ranking_is_on_the_page() -> None:
    page = Page(PAGES["states"]())
    assert {"-0.90", "+0.80", "0.40", "5 (-0.30), 6 (+0.20), 7 (+0.10)"} <= set(page.texts)
    assert "digit read (not beyond chance)" in page.texts
    assert "Not in this text: inside quotes." in page.texts
    assert any("32,640 tokens of the validation part" in text for text in page.texts)


def test_shares_are_on_the_page() -> None:
    one = attributions()
    page = Page(page_of_attributions("not a bad film"))
    for token, after in zip(one.tokens, one.course[:, 0], strict=True):
        assert f"{token.change:+.4f}" in page.texts
        assert f"{100 * after:.1f} %" in page.texts
    assert "bad (unknown to the model)" in page.texts
    assert "standard error" not in page.texts
    long = "one two three four five six seven eight"
    assert "standard error" in Page(page_of_attributions(long)).texts


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Shapley(pairs=7), "7 pairs of random orders"),
        (LeaveOneOut(), "Leave-one-out"),
        (IntegratedGradients(network=None, points=9), "taken at 9 points"),  # type: ignore[arg-type]
    ],
)
def test_the_page_says_how_to_read_it(method: Method, words: str) -> None:
    lines = note_lines(method, is_bidirectional=True)
    assert words in lines[0]
    assert "both directions" in lines[1]
    assert "forwards" in note_lines(method, is_bidirectional=False)[1]
    text = page_of_attributions("a b", method=method)
    assert escape(lines[0]) in text


# -------------------------------------------------------------------------------------- pictures


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert PNG_MARK in png[:512]
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_pictures_grow_with_what_they_show() -> None:
    short, long, hostile, huge = (
        size(states_picture(view))
        for view in (
            state_view(tokens=10, units=2),
            state_view(tokens=100, units=2),
            state_view(hostile=True, tokens=20),
            state_view(tokens=1000, units=1),
        )
    )
    assert short[0] == long[0] == hostile[0] == 1760
    assert short[1] < long[1] < huge[1] < 4000
    one, many = (
        size(attributions_picture(attributions(text, sampled=True), ["$a_1$", "b"]))
        for text in ("good", "word " * 150)
    )
    assert one[1] == many[1]
    assert one[0] < many[0] <= 24 * 160


def test_pictures_are_the_same_for_the_same_contents() -> None:
    first, second = (states_picture(state_view(tokens=20)) for _ in range(2))
    assert first == second
