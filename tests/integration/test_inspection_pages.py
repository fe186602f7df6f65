"""The pages of `rnnkit inspect` as a browser would read them, and their pictures."""

import re
import struct
from collections.abc import Callable

import pytest
from made_up_inspections import attributions, state_study
from made_up_reports import HOSTILE, LONG
from read_page import Page, check_that_nothing_is_loaded

from rnnkit.inspection.attribution_study import (
    IntegratedGradients,
    LeaveOneOut,
    Method,
    Shapley,
)
from rnnkit.inspection.attributions import note_lines, show_attributions
from rnnkit.inspection.state_study import StateStudy
from rnnkit.inspection.states import show_states
from rnnkit.views.canvas import VARIABLES
from rnnkit.views.figures import draw_png
from rnnkit.views.formats import visible
from rnnkit.views.html import render, style_sheet
from rnnkit.views.view import PNG_MARK, View, page_mark

CLASSES = [HOSTILE, "positive", LONG, "d", "e", "f"]


def page_of_attributions(*texts: str, classes: int = 2, method: Method | None = None) -> str:
    found = [attributions(text, classes=classes, sampled=len(text) > 30) for text in texts]
    return render(
        show_attributions(
            found,
            CLASSES[:classes],
            method=method or Shapley(),
            is_bidirectional=True,
            run=f"run{HOSTILE}",
        )
    )


def states_page(study: StateStudy, *, run: str) -> str:
    return render(show_states(study, run=run))


def picture_of(view: View) -> bytes:
    assert view.picture is not None
    return draw_png(view.picture)


PAGES: dict[str, Callable[[], str]] = {
    "states": lambda: states_page(state_study(), run="run"),
    "hostile states": lambda: states_page(state_study(hostile=True), run=f"run{HOSTILE}"),
    "no ranking": lambda: states_page(state_study(ranked=False, tokens=1, units=1), run="run"),
    "attributions": lambda: page_of_attributions("not a bad film", "", f"{HOSTILE} {LONG}"),
    "many classes": lambda: page_of_attributions("a b c", classes=6),
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
    assert text.startswith(page_mark("inspect"))
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
    defined = set(re.findall(r"(--[\w-]+):", style_sheet()))
    assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= defined | {"--share", "--a"}


def test_pages_are_the_same_for_the_same_contents() -> None:
    for make in PAGES.values():
        assert make() == make()


def test_every_token_is_a_span_with_its_number() -> None:
    view = state_study(tokens=40)
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
    assert visible(HOSTILE.rpartition("/")[2]) in shown  # the name of the run's folder
    shown = Page(PAGES["attributions"]()).texts
    assert any(visible(HOSTILE.split()[0]) == text for text in shown)
    assert any(visible(HOSTILE) in text for text in shown)  # the name of a class


def test_the_ranking_is_on_the_page() -> None:
    page = Page(PAGES["states"]())
    assert {"-0.90", "+0.80", "0.40", "5 (-0.30), 6 (+0.20), 7 (+0.10)"} <= set(page.texts)
    assert {"digit read", "not beyond chance"} <= set(page.texts)
    assert "Not in this text: inside quotes." in page.texts
    assert any("32,640 tokens of the validation part" in text for text in page.texts)


def test_shares_are_on_the_page() -> None:
    one = attributions()
    page = Page(page_of_attributions("not a bad film"))
    for token, after in zip(one.tokens, one.after_each[:, 0], strict=True):
        assert f"{token.change:+.4f}" in page.texts
        assert f"{after:.3f}" in page.texts
    assert {"bad", "unknown to the model"} <= set(page.texts)
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
    assert lines[0] in Page(text).texts


# -------------------------------------------------------------------------------------- pictures


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert PNG_MARK in png[:512]
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_pictures_grow_with_what_they_show() -> None:
    short, long, hostile, huge = (
        size(picture_of(show_states(view, run="run")))
        for view in (
            state_study(tokens=10, units=2),
            state_study(tokens=100, units=2),
            state_study(hostile=True, tokens=20),
            state_study(tokens=1000, units=1),
        )
    )
    assert short[0] == long[0] == hostile[0] == 1760
    assert short[1] < long[1] < huge[1] < 4000
    one, many = (
        size(
            picture_of(
                show_attributions(
                    [attributions(text, sampled=True)],
                    ["$a_1$", "b"],
                    method=Shapley(),
                    is_bidirectional=False,
                    run="run",
                )
            )
        )
        for text in ("good", "word " * 150)
    )
    assert one[1] == many[1]
    assert one[0] < many[0] <= 24 * 160


def test_pictures_are_the_same_for_the_same_contents() -> None:
    first, second = (picture_of(show_states(state_study(tokens=20), run="run")) for _ in range(2))
    assert first == second
