"""A text with a number behind every token, in colours and in symbols."""

import sys

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnkit.cli.answer import has_colour
from rnnkit.views.terminal import coloured, display_width, legend, symbol, text_lines

PIECES = st.lists(st.tuples(st.text(max_size=5), st.floats(-2, 2)), max_size=20)


def lines(
    pieces: list[str], values: list[float], *, with_colour: bool = False, largest: float = 1.0
) -> list[str]:
    return list(text_lines(pieces, values, largest=largest, with_colour=with_colour))


def test_symbols_stand_below_their_tokens() -> None:
    found = lines(["ab", "c", " ", "d", "e"], [1.0, 0.2, 0.0, -0.2, -0.9])
    assert found == ["abc de", "##+ -="]


def test_a_line_break_is_a_token() -> None:
    assert lines(["a", "\n", "b"], [0.0, 1.0, 1.0]) == ["a⏎", " #", "b", "#"]
    assert lines(["a\nb"], [-1.0]) == ["a⏎", "==", "b", "="]
    assert lines(["a", "b"], [0.0, 0.0]) == ["ab"]  # nothing to say, no line for it


def test_wide_characters_have_symbols_of_their_width() -> None:
    text, below = lines(["日本", "e\u0301", "x"], [1.0, -1.0, 1.0])
    assert (display_width(text), below) == (6, "####=#")


@given(PIECES)
def test_symbols_never_overrun(entries: list[tuple[str, float]]) -> None:
    for line in lines([piece for piece, _ in entries], [value for _, value in entries]):
        assert display_width(line) <= 88 + 10
        assert "\x1b" not in line


@given(PIECES)
def test_colours_change_nothing_but_colour(entries: list[tuple[str, float]]) -> None:
    pieces, values = [piece for piece, _ in entries], [value for _, value in entries]
    coloured_lines = lines(pieces, values, with_colour=True)
    plain_lines = lines(pieces, [0.0] * len(pieces), with_colour=True)
    assert [click.unstyle(line) for line in coloured_lines] == plain_lines
    assert "\x1b" not in "".join(plain_lines)


def test_a_text_cannot_move_the_cursor() -> None:
    for with_colour in (True, False):
        shown = "".join(lines(["\x1b[2J", "\r\x08"], [0.0, 0.0], with_colour=with_colour))
        assert "\x1b" not in shown
        assert "\r" not in shown


def test_strong_and_weak_differ_and_so_do_the_sides() -> None:
    shades = [coloured("x", share) for share in (-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0)]
    assert len(set(shades)) == 7
    assert shades[3] == "x"
    assert coloured("x", 5.0) == shades[-1]
    symbols = [symbol(share) for share in (-1.0, -0.3, 0.0, 0.3, 1.0)]
    assert symbols == ["=", "-", " ", "+", "#"]


def test_a_scale_of_zero_shows_nothing() -> None:
    assert lines(["a"], [0.0], largest=0.0) == ["a"]


def test_legends_name_their_ends() -> None:
    assert legend(0.8, with_colour=False) == (
        "# above 0.40, + above 0.08, - below -0.08, = below -0.40 (largest 0.80)"
    )
    shown = click.unstyle(legend(0.8, with_colour=True, digits=1))
    assert (shown[:4], shown[-4:]) == ("-0.8", "+0.8")


@pytest.mark.parametrize(
    ("is_terminal", "variable", "expected"),
    [(True, None, True), (True, "", True), (True, "1", False), (False, None, False)],
)
def test_colour_is_for_terminals_that_want_it(
    is_terminal: bool, variable: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    if variable is None:
        monkeypatch.delenv("NO_COLOR", raising=False)
    else:
        monkeypatch.setenv("NO_COLOR", variable)
    assert has_colour() is expected
