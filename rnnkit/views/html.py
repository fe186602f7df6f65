"""Views as HTML pages: one file, no script, nothing that is fetched from elsewhere.

The templates escape all text. Should one ever slip through as markup, the policy of the page keeps
it from running or loading anything.
"""

from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnkit import __version__
from rnnkit.views.formats import number, percent, visible
from rnnkit.views.plot import Figure
from rnnkit.views.view import (
    Block,
    Cell,
    Entries,
    Grid,
    Group,
    Only,
    Pair,
    Section,
    View,
    page_mark,
)

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

_LARGE = 12
"""Characters of a tile's value that fit in large type."""

_FRAME_HEIGHT = 640
"""Pixels of a page inside a notebook."""


def render(view: View) -> str:
    """Return a complete HTML document, the same for the same view."""
    template = _environment().get_template("page.html")
    sections = [section for section in view.sections if section.on != "terminal"]
    page = template.render(
        view=view,
        names=[(name_of(section, index), section) for index, section in enumerate(sections, 1)],
        style=style_sheet(),
        version=__version__,
    )
    return page_mark(view.command) + page + "\n"


def render_frame(view: View) -> str:
    """Return the page as an `<iframe>` that keeps its style to itself and runs no script."""
    return (
        f'<iframe srcdoc="{escape(render(view))}" sandbox title="{escape(visible(view.title))}" '
        f'style="width: 100%; height: {_FRAME_HEIGHT}px; border: 0"></iframe>'
    )


@cache
def style_sheet() -> str:
    """Return the style sheet of every page."""
    return (_TEMPLATES / "style.css").read_text("utf-8")


def name_of(section: Section, index: int) -> str:
    """Return what links to the `index`-th section (from 1) are called."""
    return section.name or f"part-{index}"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from rnnkit.views.figures import draw_svg

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "kind": lambda block: type(block).__name__,
        "is_shown": _is_shown,
        "cell": lambda cell: cell if isinstance(cell, Cell) else Cell(cell),
        "svg": lambda figure: Markup(draw_svg(figure)),
        "style_of": _style_of,
        "is_large": lambda value: len(value) <= _LARGE,
    }
    environment.filters |= {"number": number, "percent": percent}
    return environment


def _finalize(value: Any) -> Any:
    """Let no text reach a page with characters that no page may hold."""
    return visible(value) if type(value) is str else value


def _style_of(figure: Figure) -> str:
    """Return the width at which the type of a figure is as large as that of the page."""
    return f"max-width: {7 * figure.width:g}rem"


def _is_shown(block: Block) -> bool:
    """Tell whether a page shows anything of a block."""
    match block:
        case Only(medium=medium):
            return medium == "page"
        case Group(blocks=blocks):
            return any(map(_is_shown, blocks))
        case Pair(left=left, right=right):
            return any(map(_is_shown, (*left, *right)))
        case Grid(figures=items) | Entries(items=items):
            return bool(items)
        case _:
            return True
