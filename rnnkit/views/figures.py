"""Figures drawn by matplotlib, panel by panel: as an SVG inside a page, or as a PNG file."""

import math
from typing import Any, assert_never

import numpy as np

from rnnkit.views.canvas import ON_PAGE, ON_PAPER, Palette, canvas_of, png_of, svg_of
from rnnkit.views.formats import compact, one_line
from rnnkit.views.plot import (
    Axis,
    Band,
    Bars,
    Figure,
    HeatMap,
    Histogram,
    Line,
    Mark,
    Panel,
    Point,
    Rule,
    Stems,
)

MOST_POINTS = 400
"""A curve of more points is thinned: the eye and the file gain nothing from them."""

_FEW_POINTS = 12
_SMALLEST = 1e-300
"""The lowest value on a logarithmic axis, where zero has no place."""


_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)))


def draw_svg(figure: Figure) -> str:
    """Return a figure as `<svg>` markup for the middle of a page."""
    with canvas_of(figure.width, figure.height, ON_PAGE, is_fixed=_is_fixed(figure)) as canvas:
        _draw(canvas, figure, ON_PAGE)
        return svg_of(canvas, name=figure.name, description=figure.description)


def draw_png(figure: Figure) -> bytes:
    """Return a figure as a PNG on white, of 160 dots an inch."""
    with canvas_of(figure.width, figure.height, ON_PAPER, is_fixed=_is_fixed(figure)) as canvas:
        _draw(canvas, figure, ON_PAPER)
        return png_of(canvas)


def thinned(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Return at most `most` entries along the first axis, evenly spread, with both ends."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]


def _is_fixed(figure: Figure) -> bool:
    """Return whether measuring the names of a figure would take seconds."""
    return any(len(panel.x.names) > _FEW_POINTS for panel in figure.panels)


def _draw(canvas: Any, figure: Figure, palette: Palette) -> None:
    ratios = [panel.height for panel in figure.panels]
    rows = canvas.subplots(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, panel in zip(rows, figure.panels, strict=True):
        _paint(canvas, axes, panel, palette)
    if _is_fixed(figure):
        _place(canvas, figure)


def _place(canvas: Any, figure: Figure) -> None:
    """Give panels with many names below them their places, by lengths in inches."""
    longest = max((len(name) for panel in figure.panels for name in panel.y.names), default=4)
    letters = max(len(name) for panel in figure.panels for name in panel.x.names)
    names = 0.15 + 0.085 * min(letters, 14)
    gap = names + (0.3 if any(panel.title for panel in figure.panels[1:]) else 0.0)
    count, top = len(figure.panels), 0.35
    each = max((figure.height - top - names - (count - 1) * gap) / count, 0.1)
    canvas.subplots_adjust(
        left=min((0.45 + 0.085 * longest) / figure.width, 0.4),
        right=1 - 0.15 / figure.width,
        top=1 - top / figure.height,
        bottom=names / figure.height,
        hspace=gap / each,
    )


# ------------------------------------------------------------------------------------- panels


def _paint(canvas: Any, axes: Any, panel: Panel, palette: Palette) -> None:
    if panel.grid != "both":
        axes.grid(visible=False)
    if panel.grid in ("x", "y"):
        axes.grid(visible=True, axis=panel.grid)
    # Above the axis and upright, where it is read without turning the head.
    axes.set_title(one_line(panel.title), loc="left", fontsize=9.0, color=palette.muted, pad=8.0)
    series = 0
    for mark in panel.marks:
        _paint_mark(axes, mark, palette, series)
        series += isinstance(mark, Line) and mark.kind == "series"
        series += isinstance(mark, Histogram)
    if any(isinstance(mark, Histogram) for mark in panel.marks):
        axes.set_ylim(bottom=0.0)
    _set_axis(axes, "x", panel.x, palette)
    _set_axis(axes, "y", panel.y, palette)
    for mark in panel.marks:  # beside which there is room depends on the limits of the axes
        if isinstance(mark, Point | Rule):
            _annotate(axes, mark)
    match panel.legend:
        case None:
            pass
        case "above":
            axes.legend(
                loc="lower right",
                bbox_to_anchor=(1.0, 1.0),
                ncols=3,
                borderaxespad=0.2,
                columnspacing=1.2,
                handletextpad=0.5,
            )
        case "below":
            canvas.legend(loc="outside lower left", ncols=2, columnspacing=1.6)
        case inside:
            axes.legend(loc=inside)


def _paint_mark(axes: Any, mark: Mark, palette: Palette, series: int) -> None:
    match mark:
        case Line():
            _paint_line(axes, mark, palette, series)
        case Band(label=label, x=x, low=low, high=high, colour=colour):
            axes.fill_between(
                x, low, high, color=palette.series[colour], alpha=0.2, linewidth=0.0, label=label
            )
        case Stems(x=x, low=low, high=high, colour=colour):
            axes.vlines(x, low, high, color=palette.series[colour], linewidth=3.0, alpha=0.35)
        case Bars():
            _paint_bars(axes, mark, palette)
        case Histogram(edges=edges, counts=counts, label=label, outlined=outlined):
            colour, name = palette.series[series % len(palette.series)], one_line(label) or None
            alpha = 0.25 if outlined else 0.65
            axes.stairs(
                counts, edges, fill=True, color=colour, alpha=alpha, linewidth=0.0,
                label=None if outlined else name,
            )  # fmt: skip
            if outlined:
                dashes = _DASHES[series % len(_DASHES)]
                axes.stairs(
                    counts, edges, color=colour, linestyle=dashes, linewidth=1.6, label=name
                )
        case Point(label=label, x=x, y=y, colour=colour, in_legend=in_legend):
            axes.plot(
                [x], [y], "o", color=palette.series[colour], markersize=7, zorder=5,
                markeredgecolor=palette.surface, markeredgewidth=1.5,
                label=one_line(label) if in_legend else "_",
            )  # fmt: skip
        case Rule(x=x):
            axes.axvline(x, color=palette.ink, linewidth=1.2, linestyle=(0, (4, 2)))
        case HeatMap():
            _paint_heat_map(axes, mark, palette)
        case _:
            assert_never(mark)


def _paint_line(axes: Any, line: Line, palette: Palette, series: int) -> None:
    points = thinned(np.column_stack([line.x, line.y]).astype(np.float64))
    x, y = points[:, 0], points[:, 1]
    label = one_line(line.label) or "_"
    place = series if line.colour is None else line.colour
    colour = palette.series[place % len(palette.series)]
    match line.kind:
        case "series":
            axes.plot(
                x, y, color=colour, linestyle=_DASHES[series % len(_DASHES)], label=label,
                marker="o" if len(points) <= _FEW_POINTS else "", markersize=3.5,
            )  # fmt: skip
        case "faint":
            axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.45, label=label)
        case "reference":
            axes.plot(x, y, color=palette.muted, linewidth=1.0, linestyle=(0, (3, 3)), label=label)
        case _:
            assert_never(line.kind)


def _paint_bars(axes: Any, bars: Bars, palette: Palette) -> None:
    values = np.asarray(bars.values, np.float64)
    x = np.arange(len(values)) if bars.x is None else np.asarray(bars.x)
    colours: Any = [palette.series[int(value >= 0)] for value in values]
    if bars.colour is not None:
        colours = palette.series[bars.colour]
    label = one_line(bars.label) or "_"
    if bars.horizontal:
        axes.barh(x, values, height=bars.width, color=colours, label=label)
        return
    axes.bar(
        x, values, width=bars.width, color=colours, label=label, yerr=bars.errors,
        ecolor=palette.muted, alpha=0.6 if bars.colour is not None else 1.0,
    )  # fmt: skip
    if bars.colour is None:
        axes.axhline(0.0, color=palette.muted, linewidth=0.8)


def _paint_heat_map(axes: Any, shown: HeatMap, palette: Palette) -> None:
    """Draw rectangles in two colours, as strong as their values are large.

    Rectangles rather than an image, so that a page can show them in its own colours.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    rows, columns = shown.values.shape
    finite = np.abs(shown.values[np.isfinite(shown.values)])
    largest = shown.largest if math.isfinite(shown.largest) else float(finite.max(initial=0.0))
    strengths = np.nan_to_num(shown.values / (largest or 1.0), posinf=1.0, neginf=-1.0)
    strengths = strengths.clip(-1.0, 1.0)
    for colour, sign in ((palette.series[1], 1.0), (palette.series[0], -1.0)):
        places = np.argwhere(sign * strengths > 0.01)
        patches = [Rectangle((c - 0.48, r - 0.46), 0.96, 0.92) for r, c in places]
        alphas = [round(abs(float(strengths[r, c])), 2) for r, c in places]
        if patches:
            axes.add_collection(
                PatchCollection(patches, facecolor=colour, alpha=alphas, linewidth=0.0)
            )
    axes.set_xlim(-0.6, max(columns, shown.columns) - 0.4)
    axes.set_ylim(rows - 0.4, -0.6)


def _annotate(axes: Any, mark: Point | Rule) -> None:
    """Write the label of a point or rule on the side where there is room."""
    if not mark.label or (isinstance(mark, Point) and mark.in_legend):
        return
    low, high = axes.get_xlim()
    is_right = mark.x > (low + high) / 2
    if isinstance(mark, Point):
        place, coordinates, offset = (mark.x, mark.y), "data", (2.0, 9.0)
    else:
        place, coordinates, offset = (mark.x, 1.0), ("data", "axes fraction"), (5.0, -9.0)
    axes.annotate(
        one_line(mark.label),
        place,
        xycoords=coordinates,
        xytext=(-offset[0] if is_right else offset[0], offset[1]),
        textcoords="offset points",
        ha="right" if is_right else "left",
        fontsize=9.0,
    )


# --------------------------------------------------------------------------------------- axes


def _set_axis(axes: Any, which: str, axis: Axis, palette: Palette) -> None:
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

    drawn = axes.xaxis if which == "x" else axes.yaxis
    set_scale = axes.set_xscale if which == "x" else axes.set_yscale
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    drawn.set_label_text(one_line(axis.label))
    match axis.scale:
        case "linear":
            pass
        case "log" if not math.isfinite(getattr(axes.dataLim, f"minpos{which}")):
            pass  # nothing above zero
        case "log":
            set_scale("log")
            drawn.set_major_locator(LogLocator(numticks=8))
            drawn.set_minor_formatter(NullFormatter())
        case "log2":
            set_scale("log", base=2)
            ends = axes.dataLim.intervalx if which == "x" else axes.dataLim.intervaly
            first, last = np.log2(np.maximum(ends, _SMALLEST))
            drawn.set_major_locator(FixedLocator(list(2.0 ** np.arange(first, int(last) + 1))))
            drawn.set_minor_locator(NullLocator())
        case _:
            assert_never(axis.scale)
    if axis.names:
        names = [one_line(name) for name in axis.names]
        drawn.set_ticks(range(len(names)), names)
        if which == "x" and max(map(len, names)) > (3 if len(names) <= _FEW_POINTS else 1):
            drawn.set_tick_params(rotation=90)
        set_limits(axis.low, axis.high)
        return
    if axis.low is not None or axis.high is not None:
        set_limits(axis.low, axis.high)
    if axis.unit == "integer":
        drawn.set_major_locator(MaxNLocator(nbins=6, integer=True))
    _set_numbers(drawn, axis)


def _set_numbers(drawn: Any, axis: Axis) -> None:
    """Write the numbers at the ticks of one axis."""
    from matplotlib.ticker import FuncFormatter

    match axis.unit:
        case "percent":
            drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
        case "integer":
            drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        case "compact":
            drawn.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        case "number":
            if axis.scale == "log2":
                drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
            elif max(map(abs, drawn.get_view_interval())) >= 1000:
                drawn.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        case _:
            assert_never(axis.unit)
