"""A view: what a command prints, a page shows and a notebook displays, as one frozen value.

Whoever computes something returns a `View`; `terminal`, `json`, `html` and `figures` render it.
Text in a view is plain: each renderer escapes it for its medium.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rnnkit.views.plot import Figure

Medium = Literal["terminal", "page"]
"""Where something is shown; None stands for everywhere."""

PNG_MARK = b"Software\0rnnkit"
"""Found near the beginning of every PNG that rnnkit writes."""


def page_mark(command: str) -> str:
    """Return how a page of `rnnkit COMMAND` begins, by which the program recognizes its own."""
    return f"<!doctype html>\n<!-- rnnkit {command} -->\n"


# ------------------------------------------------------------------------------------- tables


@dataclass(frozen=True)
class Cell:
    """A table cell that is more than text.

    Attributes:
        text: its content.
        bar: fraction (0 to 1) of the cell that a bar on a page covers.
        below: a second, smaller line on a page.
        strong: whether a page emphasizes it.
        literal: whether it is a piece of data (a token), shown in type of fixed width on a page.
    """

    text: str
    bar: float | None = None
    below: str = ""
    strong: bool = False
    literal: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table: numbers are aligned on the right, text on the left."""

    title: str = ""
    align: Literal["left", "right"] = "right"
    on: Medium | None = None


@dataclass(frozen=True)
class Table:
    """A table, with one cell in each row for every column.

    Attributes:
        columns: no header line is shown where all titles are empty.
        rows: formatted cells.
        caption: what the table shows; above it on a page, where it is also read aloud.
        title: a caption that a terminal prints as well, with the rows indented below it.
        keys: whether the table lists settings: fixed width, values may wrap.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    caption: str = ""
    title: str = ""
    keys: bool = False


def table(
    header: Sequence[str | Column],
    rows: Iterable[Sequence[str | Cell]],
    *,
    left: Sequence[str] | Literal["all"] = (),
    caption: str = "",
    title: str = "",
    keys: bool = False,
) -> Table:
    """Return a table; the columns whose titles are in `left` hold text, the others numbers."""
    columns = tuple(
        name
        if isinstance(name, Column)
        else Column(name, "left" if left == "all" or name in left else "right")
        for name in header
    )
    return Table(columns, tuple(tuple(row) for row in rows), caption, title, keys)


@dataclass(frozen=True)
class Matrix:
    """Counts of true classes (rows) and predicted classes (columns), int[classes, classes]."""

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    caption: str


# --------------------------------------------------------------------------------------- text


@dataclass(frozen=True)
class Text:
    """A paragraph. `strong` is emphasized before it; `muted` text explains on a page."""

    text: str
    strong: str = ""
    muted: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    text: str


@dataclass(frozen=True)
class Code:
    """Text in lines that keep their breaks: a configuration, a sample."""

    text: str


@dataclass(frozen=True)
class Notes:
    """Remarks that a reader should not miss, one line each."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Token:
    """A piece of text, the number behind it, and what is said of it when it is pointed at."""

    text: str
    value: float
    title: str = ""


@dataclass(frozen=True)
class Tokens:
    """A text with a colour behind every token: orange above zero, blue below.

    Attributes:
        tokens: in their order.
        digits: of the numbers at the ends of the scale.
        spaced: whether there is whitespace between the tokens.
        legend: what the colours mean, after the scale on a terminal.
        without_colour: whether a terminal without colours shows symbols below the text, or
            nothing.
    """

    tokens: tuple[Token, ...]
    digits: int = 2
    spaced: bool = False
    legend: str = ""
    without_colour: bool = True

    @property
    def largest(self) -> float:
        """The largest absolute value, which gets the strongest colour."""
        return max((abs(token.value) for token in self.tokens), default=0.0)


@dataclass(frozen=True)
class Entry:
    """One entry of a list of texts: a sample, an error.

    Attributes:
        texts: pairs of a label and a text.
        heading: above them.
        label: below them.
        verbatim: whether line breaks and columns matter.
    """

    texts: tuple[tuple[str, str], ...]
    heading: str = ""
    label: str = ""
    verbatim: bool = False


@dataclass(frozen=True)
class Entries:
    """A list of texts, each in a card of its own."""

    items: tuple[Entry, ...]


@dataclass(frozen=True)
class Frequencies:
    """Tokens and how frequent they are, in columns with bars."""

    items: tuple[tuple[str, int], ...]
    caption: str


# ------------------------------------------------------------------------------------- layout


@dataclass(frozen=True)
class Group:
    """Blocks under a title, to unfold on a page unless `is_open`."""

    title: str
    blocks: "tuple[Block, ...]"
    is_open: bool = False


@dataclass(frozen=True)
class Pair:
    """Two columns side by side on a wide page."""

    left: "tuple[Block, ...]"
    right: "tuple[Block, ...]"


@dataclass(frozen=True)
class Grid:
    """Figures side by side, as many as there is room for."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Only:
    """Blocks for one medium alone."""

    medium: Medium
    blocks: "tuple[Block, ...]"


Block = (
    Table
    | Matrix
    | Text
    | Heading
    | Code
    | Notes
    | Tokens
    | Entries
    | Frequencies
    | Figure
    | Group
    | Pair
    | Grid
    | Only
)


@dataclass(frozen=True)
class Section:
    """A part of a view.

    Attributes:
        heading: on a page, where the navigation leads to it.
        blocks: what is shown below it.
        lead: one or two sentences below the heading of a page.
        printed: the heading on a terminal, None for the same one, "" for none.
        indent: columns by which a terminal moves the blocks to the right.
        spaced: whether a terminal separates heading and blocks by empty lines.
        on: the medium that has this section, None for every one.
        name: what links to it are called; by default from its number.
    """

    heading: str
    blocks: tuple[Block, ...] = ()
    lead: str = ""
    printed: str | None = None
    indent: int = 0
    spaced: bool = False
    on: Medium | None = None
    name: str = ""


@dataclass(frozen=True)
class Tile:
    """A number that a page shows first, in large type; `more` is said below it."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class View:
    """Everything that a command, page or notebook cell shows.

    Attributes:
        title: what is shown, as in `Layers`.
        subject: of what: the name of a run or configuration file, the heading of a page.
        sections: in their order.
        document: what `--json` prints; NaN and infinities become null.
        command: the command that makes such pages, as in `inspect`.
        summary: a line below the heading of a page.
        tiles: numbers that a page shows first.
        notes: remarks: standard error on a terminal, a box on a page.
        picture: what `--png` draws.
        compact: whether a terminal shows the sections without empty lines between them.
    """

    title: str
    subject: str
    sections: tuple[Section, ...]
    document: Any = None
    command: str = "inspect"
    summary: str = ""
    tiles: tuple[Tile, ...] = ()
    notes: tuple[str, ...] = ()
    picture: Figure | None = field(default=None, compare=False)
    compact: bool = False

    def __str__(self) -> str:
        from rnnkit.views.terminal import render

        return render(self)

    def _repr_html_(self) -> str:
        """Return the page in a frame, as a notebook shows it."""
        from rnnkit.views.html import render_frame

        return render_frame(self)
