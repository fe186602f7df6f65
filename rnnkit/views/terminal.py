"""Views as text for a terminal or a pipe: aligned, one row a line, nothing cut off.

Tokens have a colour behind them that says how large a number is: blue below zero, orange above.
The two hues are told apart with any colour vision. Letters are black on both, so that the same
colours serve terminals of any background. Without colours, symbols are shown below the text.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import assert_never

from rnnkit.views.formats import number, one_line, visible
from rnnkit.views.plot import Figure
from rnnkit.views.view import (
    Block,
    Cell,
    Code,
    Entries,
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
    Tokens,
    View,
)

# Indices of the 256 colours, from weak to strong.
_ABOVE = (230, 223, 222, 215, 208)
_BELOW = (195, 153, 117, 75, 33)
_BLACK = 16

_VISIBLE, _STRONG = 0.1, 0.5
"""Fractions of the scale from which a number is shown at all, and as a large one."""

_WIDTH = 88
"""Columns of a line that has symbols below it."""

_LEGEND = (-1.0, -0.75, -0.5, -0.3, -0.15, 0.0, 0.15, 0.3, 0.5, 0.75, 1.0)


def render(view: View, *, colour: bool = False) -> str:
    """Return a view as text without a line break at its end.

    Notes are not among it: they belong on standard error. Figures need a page.
    """
    sections = (section for section in view.sections if section.on != "page")
    return ("\n" if view.compact else "\n\n").join(
        text for section in sections if (text := render_section(section, colour=colour))
    )


def render_section(section: Section, *, colour: bool = False) -> str:
    """Return one section as text, "" where a terminal shows nothing of it."""
    heading = section.heading if section.printed is None else section.printed
    parts = [visible(heading)] if heading else []
    for lines in _blocks(section.blocks, colour):
        parts.append("\n".join(_indented(lines, section.indent)))
    return ("\n\n" if section.spaced else "\n").join(parts)


def _blocks(blocks: Sequence[Block], colour: bool) -> Iterator[list[str]]:
    """Yield the lines of each block that a terminal shows something of."""
    for block in blocks:
        if lines := list(_block(block, colour)):
            yield lines


def _block(block: Block, colour: bool) -> Iterator[str]:
    match block:
        case Table():
            yield from _table(block)
        case Matrix(names=names, counts=counts):
            rows = [(name, *map(number, row)) for name, row in zip(names, counts, strict=True)]
            yield from format_table(("", *names), rows, left=(0,)).split("\n")
        case Text(text=text, strong=strong):
            yield from visible(f"{strong} {text}" if strong else text).split("\n")
        case Heading(text=text):
            yield one_line(text)
        case Code(text=text):
            yield from visible(text).rstrip("\n").split("\n")
        case Notes(lines=lines):
            yield from map(one_line, lines)
        case Tokens():
            yield from _tokens(block, colour)
        case Entries(items=items):
            for item in items:
                yield from [one_line(item.heading)] if item.heading else []
                for label, text in item.texts:
                    yield from [f"  {one_line(label)}"] if label else []
                    yield from _indented(visible(text).split("\n"), 2)
                yield from [f"  {one_line(item.label)}"] if item.label else []
        case Frequencies(items=items, caption=caption):
            listed = ", ".join(f"{one_line(token)} ({times:,})" for token, times in items)
            yield f"{one_line(caption)}: {listed}"
        case Group(title=title, blocks=blocks):
            yield one_line(title)
            for lines in _blocks(blocks, colour):
                yield ""
                yield from _indented(lines, 2)
        case Pair(left=left, right=right):
            yield from chain.from_iterable(_blocks((*left, *right), colour))
        case Only(medium=medium, blocks=blocks):
            if medium == "terminal":
                yield from chain.from_iterable(_blocks(blocks, colour))
        case Grid() | Figure():
            return
        case _:
            assert_never(block)


def _indented(lines: Sequence[str], columns: int) -> Iterator[str]:
    for line in lines:
        yield " " * columns + line if line else line


# -------------------------------------------------------------------------------------- tables


def _table(shown: Table) -> Iterator[str]:
    places = [place for place, column in enumerate(shown.columns) if column.on != "page"]
    columns = [shown.columns[place] for place in places]
    rows = [[_cell_text(row[place]) for place in places] for row in shown.rows]
    left = [index for index, column in enumerate(columns) if column.align == "left"]
    if shown.title:
        yield one_line(shown.title)
    lines = format_table([column.title for column in columns], rows, left=left).split("\n")
    if not any(column.title for column in columns):
        lines = lines[1:]
    yield from _indented(lines, 2 if shown.title else 0)


def _cell_text(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int]
) -> str:
    """Align columns with two spaces between them.

    Args:
        header: names of the columns, or empty strings.
        rows: cells, as many in each row as in the header.
        left: places of the columns that are aligned on the left; numbers belong on the right.
    """
    lines = [[one_line(cell) for cell in line] for line in (header, *rows)]
    widths = [max(display_width(line[i]) for line in lines) for i in range(len(header))]
    formatted = []
    for line in lines:
        cells = []
        for place, (cell, width) in enumerate(zip(line, widths, strict=True)):
            padding = " " * (width - display_width(cell))
            cells.append(cell + padding if place in left else padding + cell)
        formatted.append("  ".join(cells).rstrip())
    return "\n".join(formatted)


def display_width(text: str) -> int:
    """Return the columns that a terminal gives to the text: wide characters take two."""
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):  # marks and joiners
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def sparkline(values: Sequence[float]) -> str:
    """Draw a curve in one line: `[4.0, 2.0, 1.0]` -> `█▃▁`."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return levels([(value - low) / span for value in values])


def levels(fractions: Sequence[float]) -> str:
    """Draw fractions from 0 to 1 in one line: `[0.0, 0.5, 1.0]` -> `▁▅█`."""
    bars = "▁▂▃▄▅▆▇█"
    return "".join(bars[round(fraction * (len(bars) - 1))] for fraction in fractions)


# ----------------------------------------------------------------------------- coloured tokens


def _tokens(shown: Tokens, colour: bool) -> Iterator[str]:
    if not colour and not shown.without_colour:
        return
    pieces: list[str] = []
    values: list[float] = []
    for index, token in enumerate(shown.tokens):
        if shown.spaced and index:
            pieces.append(" ")
            values.append(0.0)
        pieces.append(token.text)
        values.append(token.value)
    yield from text_lines(pieces, values, largest=shown.largest, with_colour=colour)
    scale = legend(shown.largest, with_colour=colour, digits=shown.digits)
    yield f"{scale}  {one_line(shown.legend)}" if shown.legend else scale


def coloured(text: str, strength: float) -> str:
    """Return `text` on a colour, from -1 (strong blue) over 0 (none) to 1 (strong orange)."""
    size = min(abs(strength), 1.0)
    if size < _VISIBLE:
        return text
    colours = _ABOVE if strength > 0 else _BELOW
    level = int((size - _VISIBLE) / (1.0 - _VISIBLE) * len(colours))
    background = colours[min(level, len(colours) - 1)]
    return f"\x1b[38;5;{_BLACK}m\x1b[48;5;{background}m{text}\x1b[0m"


def symbol(strength: float) -> str:
    """Return `#` or `+` for a number above zero, `=` or `-` below, a space near it."""
    size = abs(strength)
    if size < _VISIBLE:
        return " "
    if strength > 0:
        return "#" if size >= _STRONG else "+"
    return "=" if size >= _STRONG else "-"


def text_lines(
    pieces: Sequence[str], values: Sequence[float], *, largest: float, with_colour: bool
) -> Iterator[str]:
    """Yield the lines that show a text and a number for each of its tokens.

    Args:
        pieces: the text of each token; whitespace between tokens are pieces of 0.
        values: as many numbers.
        largest: the number that gets the strongest colour.
        with_colour: colours, or else a line of symbols below each line of text.
    """
    strengths = [value / largest if largest else 0.0 for value in values]
    if with_colour:
        text = "".join(
            coloured(_shown(part), strength) + ("\n" if part == "\n" else "")
            for piece, strength in zip(pieces, strengths, strict=True)
            for part in _parts(piece)
        )
        yield from text.rstrip("\n").split("\n")
        return
    line, below = "", ""
    for piece, strength in zip(pieces, strengths, strict=True):
        for part in _parts(piece):
            shown = _shown(part)
            if line and display_width(line) + display_width(shown) > _WIDTH:
                yield from _with_symbols(line, below)
                line, below = "", ""
            line += shown
            below += symbol(strength) * display_width(shown)
            if part == "\n":
                yield from _with_symbols(line, below)
                line, below = "", ""
    if line:
        yield from _with_symbols(line, below)


def legend(largest: float, *, with_colour: bool, digits: int = 2) -> str:
    """Return what the colours or symbols mean: `-0.83 [blue] 0 [orange] +0.83`."""
    if with_colour:
        band = "".join(coloured("  ", step) for step in _LEGEND)
        return f"{-largest:+.{digits}f} {band} {largest:+.{digits}f}"
    strong, weak = f"{_STRONG * largest:.{digits}f}", f"{_VISIBLE * largest:.{digits}f}"
    return (
        f"# above {strong}, + above {weak}, - below -{weak}, = below -{strong} "
        f"(largest {largest:.{digits}f})"
    )


def _with_symbols(line: str, below: str) -> Iterator[str]:
    yield line.rstrip()
    if below.strip():
        yield below.rstrip()


def _parts(piece: str) -> list[str]:
    r"""Split a piece at its line breaks: `"a\nb"` -> `["a", "\n", "b"]`."""
    parts: list[str] = []
    for index, part in enumerate(piece.split("\n")):
        if index:
            parts.append("\n")
        if part:
            parts.append(part)
    return parts


def _shown(part: str) -> str:
    return "⏎" if part == "\n" else one_line(part.replace("\t", " " * 4))
