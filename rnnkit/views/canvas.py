"""Canvases of matplotlib: settings, colours, and how a drawing becomes an SVG in a page or a PNG.

The same drawing gives the same bytes every time: no dates, no random names. Text stays text.
Drawings on pages have stand-in colours that become CSS variables, so that one SVG serves light and
dark pages and paper; pictures that are files of their own have real ones.
"""

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from rnnkit.views.formats import visible

_DOTS_PER_INCH = 160


@dataclass(frozen=True)
class Palette:
    """The colours that a figure is drawn in. `series` are told apart by lightness, too."""

    ink: str
    muted: str
    grid: str
    surface: str
    series: tuple[str, ...]


ON_PAGE = Palette(
    ink="#0a0b01",
    muted="#0a0b02",
    grid="#0a0b03",
    surface="#0a0b04",
    series=("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16"),
)
"""Stand-ins for the variables of the style sheet."""

ON_PAPER = Palette(
    ink="#1b1d22",
    muted="#5b606b",
    grid="#e3e3df",
    surface="#ffffff",
    series=("#1f5fa8", "#c4560b", "#1f7a54", "#8d3f9e", "#8a6d00", "#b3264a"),
)
"""The light colours of the style sheet."""

VARIABLES = {
    ON_PAGE.ink: "var(--ink)",
    ON_PAGE.muted: "var(--muted)",
    ON_PAGE.grid: "var(--grid)",
    ON_PAGE.surface: "var(--surface)",
    **{colour: f"var(--series-{i})" for i, colour in enumerate(ON_PAGE.series, start=1)},
}

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


@contextlib.contextmanager
def canvas_of(
    width: float, height: float, palette: Palette, *, is_fixed: bool = False
) -> Iterator[Any]:
    """Yield an empty figure of matplotlib, in settings of ours until it has been saved.

    Args:
        width: inches.
        height: inches.
        palette: colours of axes and text.
        is_fixed: whether panels are placed by hand instead of by measuring their contents.
    """
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A class name in a script that DejaVu lacks is measured wrongly and shown rightly.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update(_SETTINGS)
        for key in ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
            matplotlib.rcParams[key] = palette.muted
        matplotlib.rcParams.update({"grid.color": palette.grid, "text.color": palette.ink})
        yield Canvas(figsize=(width, height), layout=None if is_fixed else "constrained")


def png_of(canvas: Any) -> bytes:
    """Return a figure of matplotlib, inside its `canvas_of`, as a PNG on white."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    written = io.BytesIO()
    FigureCanvasAgg(canvas)
    canvas.savefig(
        written,
        format="png",
        dpi=_DOTS_PER_INCH,
        facecolor=ON_PAPER.surface,
        metadata={"Software": "rnnkit"},
    )
    return written.getvalue()


def svg_of(canvas: Any, *, name: str, description: str) -> str:
    """Return a figure of matplotlib, inside its `canvas_of`, as `<svg>` markup for a page.

    Args:
        canvas: drawn in the colours of `ON_PAGE`.
        name: unlike that of any other figure of the page.
        description: read aloud instead of the picture.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    written = io.StringIO()
    unused = {"Date": None, "Creator": None, "Format": None, "Type": None}
    FigureCanvasSVG(canvas)
    canvas.savefig(written, format="svg", metadata=unused)
    return _inline(written.getvalue(), name=name, description=description)


_REFERENCE = re.compile(r"(?:^|url\()#([\w.-]+)")


def _inline(svg: str, *, name: str, description: str) -> str:
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
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": visible(description)})
    return ElementTree.tostring(root, encoding="unicode")


def _plain(name: str) -> str:
    """Return `path` for `{namespace}path`: in HTML, SVG needs no namespaces."""
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
