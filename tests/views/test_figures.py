"""Figures: the same bytes every time, text as text, colours of the page."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from rnnkit.views.canvas import VARIABLES
from rnnkit.views.figures import draw_png, draw_svg, thinned
from rnnkit.views.formats import duration, number, one_line, percent, visible
from rnnkit.views.plot import Axis, Band, Figure, HeatMap, Histogram, Line, Panel, Point, Stems
from rnnkit.views.view import PNG_MARK

LABEL = "$\\frac{1}$ <b> & \x00 中文"


class Texts(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def loss(name: str = "loss") -> Figure:
    marks = (
        Line(LABEL, [1, 2], [3.0, 2.0]),
        Line("b", [1, 2], [3.0, 1.0]),
        Band("band", [1, 2], [2.5, 1.5], [3.5, 2.5]),
        Stems([1.5], [2.0], [3.0]),
        Point("best", 2, 1.0),
    )
    panel = Panel("loss", marks, Axis("step", unit="integer"), legend="above")
    return Figure(name, (panel,), 'says "this" & <that>')


def test_a_figure_shows_its_labels_as_text() -> None:
    markup = draw_svg(loss())
    found = Texts(markup)
    assert one_line(LABEL) in found.text
    assert found.tags[0] == "svg"
    assert found.attributes[0]["aria-label"] == 'says "this" & <that>'
    assert "http" not in markup
    assert "b" not in found.tags
    assert not [stand_in for stand_in in VARIABLES if stand_in in markup]
    assert "var(--series-1)" in markup


def test_a_figure_has_the_same_bytes_every_time() -> None:
    assert draw_svg(loss("one")) == draw_svg(loss("one"))
    names = [set(re.findall(r' id="([^"]*)"', draw_svg(loss(name)))) for name in ("one", "two")]
    assert names[0]
    assert not names[0] & names[1]
    assert draw_png(loss()) == draw_png(loss())
    assert PNG_MARK in draw_png(loss())[:512]


def test_heat_maps_take_numbers_of_any_size() -> None:
    values = np.array([[0.5, -np.inf, np.nan], [np.inf, 1e300, 0.0]])
    for largest in (1.0, np.inf, 0.0):
        shown = HeatMap(values, largest)
        assert "<svg" in draw_svg(Figure("m", (Panel("t", (shown,)),), "d"))


def test_scales_without_a_value_above_zero_are_drawn() -> None:
    nothing = Line("x", [0, 1], [np.nan, np.nan])
    for scale in ("log", "linear"):
        figure = Figure("f", (Panel("t", (nothing,), y=Axis(scale=scale)),), "d")
        assert "<svg" in draw_svg(figure)


def test_panels_with_many_names_are_placed_quickly_and_inside() -> None:
    names = tuple(f"token {index}" for index in range(80))
    panel = Panel(
        "t", (HeatMap(np.ones((3, 80)), 1.0),), Axis(names=names), Axis(names=("a", "b", "c"))
    )
    figure = Figure("f", (panel, replace(panel, title="second")), "d", width=11.0, height=5.0)
    assert draw_png(figure).startswith(b"\x89PNG")


def test_a_histogram_shows_its_highest_bar() -> None:
    marks = (
        Histogram([0, 1, 2], [3, 1], "a", outlined=True),
        Histogram([0, 1, 2], [1, 40], "b", outlined=True),
    )
    shown = Texts(draw_svg(Figure("f", (Panel("texts", marks),), "d"))).text
    assert "40" in shown


def test_thinning_keeps_the_ends() -> None:
    values = np.arange(1001)
    kept = thinned(values, 10)
    assert (len(kept), kept[0], kept[-1]) == (10, 0, 1000)
    assert np.all(np.diff(kept) > 0)
    assert len(thinned(values[:5], 10)) == 5


def test_numbers_in_words() -> None:
    assert [duration(s) for s in (None, 4.24, 59.6, 200, 7500)] == [
        "-", "4.2 s", "1 min 0 s", "3 min 20 s", "2 h 5 min",
    ]  # fmt: skip
    assert [number(None), number(12345), number(1.58911, 4)] == ["-", "12,345", "1.5891"]
    assert [percent(None), percent(0.913)] == ["-", "91.3 %"]


def test_control_characters_become_visible() -> None:
    assert visible("a\x00\x1b\x7f\x85\ud800\ufffe") == "a␀␛␡���"
    assert visible("line\n\ttab é 中 🎉") == "line\n\ttab é 中 🎉"
    assert visible("\u202eabc\u2066") == "�abc�"
    assert visible("one\r\ntwo\rthree") == "one\ntwo␍three"
    assert one_line("a\nb\x1b[2J\u202e") == "a b [2J "
