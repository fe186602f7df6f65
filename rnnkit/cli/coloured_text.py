"""Text on a terminal with a number behind every token: blue below zero, orange above.

The two hues are told apart with any colour vision. Letters are black on both, so that the same
colours serve terminals of any background. Where there is no colour, signs stand below the text.
"""

import os
import sys
from collections.abc import Iterator, Sequence

import click

from rnnkit.cli.answer import display_width, printable

# Indices of the 256 colours, from weak to strong.
_ABOVE = (230, 223, 222, 215, 208)
_BELOW = (195, 153, 117, 75, 33)
_BLACK = 16

_VISIBLE = 0.1
"""Share of the scale below which a number is shown as zero."""

_STRONG = 0.5

_WIDTH = 88
"""Columns of a line where signs stand below the text."""


def has_colour() -> bool:
    """Whether answers may be coloured: on a terminal, unless NO_COLOR (no-color.org) is set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def coloured(text: str, share: float) -> str:
    """`text` on a colour: `share` is from -1 (strong blue) over 0 (none) to 1 (strong orange)."""
    strength = min(abs(share), 1.0)
    if strength < _VISIBLE:
        return text
    colours = _ABOVE if share > 0 else _BELOW
    level = int((strength - _VISIBLE) / (1.0 - _VISIBLE) * len(colours))
    return click.style(text, fg=_BLACK, bg=colours[min(level, len(colours) - 1)])


def sign(share: float) -> str:
    """One sign for a number: `#` and `+` above zero, `=` and `-` below, a blank near it."""
    strength = abs(share)
    if strength < _VISIBLE:
        return " "
    if share > 0:
        return "#" if strength >= _STRONG else "+"
    return "=" if strength >= _STRONG else "-"


def text_lines(
    pieces: Sequence[str], values: Sequence[float], *, largest: float, with_colour: bool
) -> Iterator[str]:
    """The lines that show a text and a number for each of its tokens.

    Args:
        pieces: the text of each token; blanks between tokens are pieces of 0.
        values: as many numbers.
        largest: the number that gets the strongest colour.
        with_colour: colours, or else a line of signs below each line of text.
    """
    shares = [value / largest if largest else 0.0 for value in values]
    if with_colour:
        text = "".join(
            "".join(
                coloured(_shown(part), share) + ("\n" if part == "\n" else "")
                for part in _parts(piece)
            )
            for piece, share in zip(pieces, shares, strict=True)
        )
        yield from text.rstrip("\n").split("\n")
        return
    line, below = "", ""
    for piece, share in zip(pieces, shares, strict=True):
        for part in _parts(piece):
            shown = _shown(part)
            if line and display_width(line) + display_width(shown) > _WIDTH:
                yield from _pair(line, below)
                line, below = "", ""
            line += shown
            below += sign(share) * display_width(shown)
            if part == "\n":
                yield from _pair(line, below)
                line, below = "", ""
    if line:
        yield from _pair(line, below)


def legend(largest: float, *, with_colour: bool, digits: int = 2) -> str:
    """What the colours or signs mean: `-0.83 [blue] 0 [orange] +0.83`."""
    if with_colour:
        steps = [-1.0, -0.75, -0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5, 0.75, 1.0]
        band = "".join(coloured("  ", step) for step in steps)
        return f"{-largest:+.{digits}f} {band} {largest:+.{digits}f}"
    strong, weak = f"{_STRONG * largest:.{digits}f}", f"{_VISIBLE * largest:.{digits}f}"
    return (
        f"# above {strong}, + above {weak}, - below -{weak}, = below -{strong} "
        f"(largest {largest:.{digits}f})"
    )


def _pair(line: str, below: str) -> Iterator[str]:
    yield line.rstrip()
    if below.strip():
        yield below.rstrip()


def _parts(piece: str) -> list[str]:
    """A piece at its line breaks: `"a\\nb"` -> `["a", "\\n", "b"]`."""
    parts: list[str] = []
    for index, part in enumerate(piece.split("\n")):
        if index:
            parts.append("\n")
        if part:
            parts.append(part)
    return parts


def _shown(part: str) -> str:
    return "⏎" if part == "\n" else printable(part.replace("\t", " " * 4))
