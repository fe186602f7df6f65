"""HTML that escapes by default: a plain str is text, only `Html` is markup."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Html(str):
    """A piece of markup. Whatever is not of this type is escaped when it goes into a page."""

    __slots__ = ()


Content = str | None
"""`Html`, text that gets escaped, or nothing."""

_VOID = {"meta", "link", "br", "hr"}

# What no HTML file may hold as it is: control characters, lone surrogates, non-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def escape(text: str) -> Html:
    """Text as markup: `a<b` -> `a&lt;b`; control characters become visible signs."""
    return Html(html.escape(visible(text), quote=True))


def visible(text: str) -> str:
    """Text without what no page may hold: control characters become visible signs."""
    return _UNPRINTABLE.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode pictures of control characters
    return "\u2421" if code == 0x7F else "\ufffd"


def tag(name: str, /, *children: Content, **attributes: str | bool | None) -> Html:
    """An element: `tag("td", "a<b", class_="text")` -> `<td class="text">a&lt;b</td>`.

    Attribute names lose a trailing underscore, and the others become hyphens. An attribute that
    is None or False is left out.
    """
    given = "".join(
        f" {key.rstrip('_').replace('_', '-')}"
        + ("" if value is True else f'="{html.escape(visible(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Iterable[Content]) -> Html:
    """Pieces one after the other, text among them escaped."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escape(child)
            for child in children
            if child is not None
        )
    )


def table(
    header: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    caption: Content,
    text_columns: Sequence[int] = (0,),
    row_headers: bool = True,
    class_: str | None = None,
) -> Html:
    """A table that scrolls by itself where the page is too narrow for it.

    Args:
        header: names of the columns; no line of them where all are empty.
        rows: as many cells in each as in the header.
        caption: what the table shows; read aloud before it.
        text_columns: columns that are aligned on the left; the others hold numbers.
        row_headers: the first cell of a row is its name.
        class_: for the style sheet.
    """

    def kind(column: int) -> str | None:
        return None if column in text_columns else "number"

    head = [tag("th", cell, scope="col", class_=kind(column)) for column, cell in enumerate(header)]
    body = []
    for row in rows:
        cells = []
        for column, cell in enumerate(row):
            if column == 0 and row_headers:
                cells.append(tag("th", cell, scope="row", class_=kind(column)))
            else:
                cells.append(tag("td", cell, class_=kind(column)))
        body.append(tag("tr", *cells))
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *head)) if any(header) else None,
        tag("tbody", *body),
        class_=class_,
    )
    # A region that can be scrolled has to be reachable from the keyboard.
    return tag(
        "div", whole, class_="scroll", tabindex="0", role="region", aria_label=_name(caption)
    )


def _name(caption: Content) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", caption or "")) or "Table"


def details(summary: Content, *children: Content) -> Html:
    """Something to unfold."""
    return tag("details", tag("summary", summary), *children)


def paragraphs(lines: Iterable[Content]) -> Html:
    """A list of remarks; nothing when there are none."""
    items = [tag("li", line) for line in lines]
    return tag("ul", *items, class_="notes") if items else Html("")


def bar(share: float, label: Content) -> Html:
    """A number with a bar behind it as long as `share` (0 to 1) of the cell."""
    width = min(max(share, 0.0), 1.0)
    return tag("span", tag("span", label), class_="bar", style=f"--share:{width:.4f}")


@dataclass(frozen=True)
class Part:
    """A part of the page with a heading, which the navigation links to by `name`."""

    name: str
    title: str
    content: Html


def part(name: str, title: str, *children: Content, lead: Content = None) -> Part:
    """A part with an introductory sentence."""
    first = tag("p", lead, class_="lead") if lead else None
    content = tag("section", tag("h2", title), first, *children, id=name)
    return Part(name, title, content)
