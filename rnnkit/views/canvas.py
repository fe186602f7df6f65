"""From a matplotlib figure to an SVG that can stand in the middle of a page, or to a PNG.

The same figure gives the same bytes: no dates, no random names. Text stays text.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

from rnnkit.views.markup import Html, visible
from rnnkit.views.style import MUTED, ON_PAGE, ON_PAPER, VARIABLES, Palette

WIDTH, HEIGHT = 5.0, 3.1
"""Inches of 72 units each: shown at 350 pixels or more, letters of 9 units stay legible."""

PNG_MARK = b"Software\0rnnkit"
"""Stands near the beginning of every PNG of ours."""

_DOTS_PER_INCH = 160

_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rnnkit",
    "text.parse_math": False,  # a dollar sign in a class name is a dollar sign
    "path.simplify": True,
    "font.family": "DejaVu Sans",  # ships with matplotlib; only for measuring text
    "font.size": 9.0,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "grid.linewidth": 0.8,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
    "xtick.major.size": 3.0,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}

_UNUSED_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}

_REFERENCE = re.compile(r"(?:^|url\()#([\w.-]+)")


def draw(
    paint: Callable[[Any], None], *, name: str, description: str, height: float = HEIGHT
) -> Html:
    """Let `paint(figure)` fill a matplotlib figure and return it as `<svg>` markup.

    Args:
        paint: adds axes to the figure it is given.
        name: of the figure; unlike that of any other on the page.
        description: what is to be seen, read aloud instead of the picture.
        height: inches.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.StringIO()
    with _figure(WIDTH, height, ON_PAGE) as figure:
        FigureCanvasSVG(figure)
        paint(figure)
        figure.savefig(written, format="svg", metadata=_UNUSED_METADATA)
    return _inline(written.getvalue(), name=name, description=description)


def draw_png(paint: Callable[[Any], None], *, width: float, height: float) -> bytes:
    """Let `paint(figure)` fill a matplotlib figure and return it as a PNG on white.

    Args:
        paint: adds axes to the figure it is given, in the colours of `style.ON_PAPER`.
        width: inches of 160 dots.
        height: inches of 160 dots.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    written = io.BytesIO()
    with _figure(width, height, ON_PAPER) as figure:
        FigureCanvasAgg(figure)
        paint(figure)
        figure.savefig(
            written,
            format="png",
            dpi=_DOTS_PER_INCH,
            facecolor=ON_PAPER.surface,
            metadata={"Software": "rnnkit"},
        )
    return written.getvalue()


@contextlib.contextmanager
def _figure(width: float, height: float, palette: Palette) -> Iterator[Any]:
    """An empty figure, in settings of ours until it has been saved."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A class name in a script that DejaVu lacks is measured wrongly and shown rightly.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(_SETTINGS)
        for key in ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
            matplotlib.rcParams[key] = palette.muted
        matplotlib.rcParams.update({"grid.color": palette.grid, "text.color": palette.ink})
        yield Figure(figsize=(width, height), layout="constrained")


def _inline(svg: str, *, name: str, description: str) -> Html:
    """Make a file a part of a page: without headers, with names and colours of the page."""
    root = ElementTree.fromstring(visible(svg[svg.index("<svg") :]))
    for parent in root.iter():
        for child in [child for child in parent if _plain(child.tag) in ("metadata", "style")]:
            parent.remove(child)
    attributes = [value for element in root.iter() for value in element.attrib.values()]
    # Two figures would otherwise name their parts alike; what nothing refers to needs no name.
    referred = {found for value in attributes for found in _REFERENCE.findall(value)}
    for element in root.iter():
        element.tag = _plain(element.tag)
        element.tail = None
        if element.tag != "text":
            element.text = None
        old = {_plain(key): value for key, value in element.attrib.items()}
        element.attrib.clear()
        for key, value in old.items():
            if key == "id":
                if value in referred:
                    element.set("id", f"{name}-{value}")
            elif text := _page_value(key, value, name=name):
                element.set(key, text)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": description})
    return Html(ElementTree.tostring(root, encoding="unicode"))


def _plain(name: str) -> str:
    """`{namespace}path` -> `path`: in HTML, SVG needs no namespaces."""
    return name.rpartition("}")[2]


def _page_value(key: str, value: str, *, name: str) -> str:
    match key:
        case "d":
            value = " ".join(value.split())
        case "style":
            value = re.sub(r"font-family: [^;]*;? *", "", value)  # that of the page
            for stand_in, variable in VARIABLES.items():
                value = value.replace(stand_in, variable)
        case "transform":
            return "" if value.startswith("rotate(-0 ") else value
    value = _REFERENCE.sub(lambda found: found[0].replace("#", f"#{name}-"), value)
    return re.sub(r"(\.\d\d)\d+", r"\1", value)


def plain_axes(figure: Any, *, x_label: str, y_label: str) -> Any:
    """One pair of axes, labelled, with horizontal lines only."""
    axes = figure.add_subplot()
    axes.grid(visible=False, axis="x")
    axes.set_xlabel(x_label)
    # Above the axis and upright, where it is read without turning the head.
    axes.set_title(y_label, loc="left", fontsize=9.0, color=MUTED, pad=8.0)
    return axes


def legend_above(axes: Any, *, columns: int = 3) -> None:
    """A legend over the right end of the axes."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        columnspacing=1.2,
        handletextpad=0.5,
    )
