"""The figures of a report: arrays of numbers -> SVG markup. None of them reads a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnkit.views.canvas import draw, legend_above, plain_axes
from rnnkit.views.markup import Html
from rnnkit.views.style import INK, MUTED, SERIES, SURFACE

MOST_POINTS = 400
"""A curve of more points is thinned: the eye and the file gain nothing from them."""

_DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), "-", (0, (5, 2)))


@dataclass(frozen=True)
class Curve:
    """A line: `x` and `y` have the same length."""

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Marker:
    """A point that is named beside it."""

    label: str
    x: float
    y: float


def thinned(values: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """At most `most` entries along the first axis, evenly spread, the ends among them."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(np.int64)]


def course(
    curves: Sequence[Curve],
    *,
    name: str,
    description: str,
    y_label: str,
    x_label: str = "step",
    best: Marker | None = None,
    from_zero: bool = False,
    percent: bool = False,
) -> Html:
    """Values over the steps of training."""

    def paint(figure: Any) -> None:
        axes = plain_axes(figure, x_label=x_label, y_label=y_label)
        for curve, colour, dashes in zip(curves, SERIES, _DASHES, strict=False):
            points = thinned(np.column_stack([curve.x, curve.y]).astype(np.float64))
            axes.plot(
                points[:, 0],
                points[:, 1],
                color=colour,
                linestyle=dashes,
                label=curve.label,
                marker="o" if len(points) <= 12 else "",
                markersize=3.5,
            )
        if best is not None:
            _mark(axes, best, SERIES[min(1, len(curves) - 1)])
        if len(curves) > 1:
            legend_above(axes)
        if from_zero:
            axes.set_ylim(0.0, axes.dataLim.y1 * 1.08 or 1.0)
        _whole_steps(axes)
        if percent:
            _percent(axes.yaxis)
        elif axes.get_ylim()[1] >= 1000:
            _thousands(axes.yaxis)

    return draw(paint, name=name, description=description)


def _mark(axes: Any, marker: Marker, colour: str) -> None:
    axes.plot(
        [marker.x], [marker.y], "o", color=colour, markersize=7, markeredgecolor=SURFACE,
        markeredgewidth=1.5, zorder=5, label="_",
    )  # fmt: skip
    low, high = axes.get_xlim()
    is_right = marker.x > (low + high) / 2
    axes.annotate(
        marker.label,
        (marker.x, marker.y),
        xytext=(-2 if is_right else 2, 9),
        textcoords="offset points",
        ha="right" if is_right else "left",
        fontsize=9.0,
    )


def _whole_steps(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _percent(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))


def loss_by_position(
    mean: np.ndarray,
    bands: Sequence[tuple[float, float, float, float]],
    *,
    name: str,
    description: str,
    unit: str,
) -> Html:
    """Loss against the tokens read before, on a scale where every doubling is as wide.

    Args:
        mean: float64[positions], nats, after 1, 2, .. tokens.
        bands: (position, mean, low, high) of groups of positions.
        name: of the figure on the page.
        description: read aloud instead of the picture.
        unit: what a token is: `characters` or `bytes`.
    """

    def paint(figure: Any) -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

        axes = plain_axes(
            figure, x_label=f"{unit} read before the prediction", y_label="loss (nats)"
        )
        axes.set_xscale("log", base=2)
        axes.plot(
            np.arange(1, len(mean) + 1), mean, color=SERIES[0], linewidth=0.8, alpha=0.45,
            label="every position",
        )  # fmt: skip
        places, means, lows, highs = np.array(bands).T
        axes.fill_between(
            places, lows, highs, color=SERIES[1], alpha=0.2, linewidth=0.0, label="95 % interval"
        )
        axes.plot(
            places, means, color=SERIES[1], marker="o", markersize=3.5, label="mean of a group"
        )
        ticks = 2.0 ** np.arange(0, int(np.log2(len(mean))) + 1)
        axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        axes.legend(loc="upper right")

    return draw(paint, name=name, description=description)


def threshold_curves(
    curves: Sequence[Curve],
    *,
    name: str,
    description: str,
    x_label: str,
    y_label: str,
    chance: Curve | None = None,
    operating_point: Marker | None = None,
    legend: Literal["lower left", "lower right"] = "lower right",
) -> Html:
    """ROC or precision-recall curves in the unit square."""

    def paint(figure: Any) -> None:
        axes = plain_axes(figure, x_label=x_label, y_label=y_label)
        axes.grid(visible=True, axis="x")
        for curve, colour, dashes in zip(curves, SERIES, _DASHES, strict=False):
            axes.plot(curve.x, curve.y, color=colour, linestyle=dashes, label=curve.label)
        if operating_point is not None:
            axes.plot(
                [operating_point.x], [operating_point.y], "o", color=SERIES[1], markersize=7,
                markeredgecolor=SURFACE, markeredgewidth=1.5, zorder=5,
                label=operating_point.label,
            )  # fmt: skip
        if chance is not None:
            axes.plot(
                chance.x, chance.y, color=MUTED, linewidth=1.0, linestyle=(0, (3, 3)),
                label=chance.label,
            )  # fmt: skip
        _unit_square(axes)
        axes.legend(loc=legend)

    return draw(paint, name=name, description=description, height=3.7)


def _unit_square(axes: Any) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.03)
    axes.set_xticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.set_yticks([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])


def reliability(
    points: Sequence[tuple[float, float, int]], *, classes: int, name: str, description: str
) -> Html:
    """How often predictions of a confidence are right, and how many there are of it.

    Args:
        points: (mean confidence, share that is right, rows) for every bin.
        classes: number of classes; the least confidence possible is one in so many.
        name: of the figure on the page.
        description: read aloud instead of the picture.
    """
    confidence, accuracy, counts = np.array(points, dtype=np.float64).reshape(-1, 3).T
    least = 1.0 / classes

    def paint(figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.set_title("share that is right", loc="left", fontsize=9.0, color=MUTED, pad=8.0)
        upper.plot(
            [least, 1], [least, 1], color=MUTED, linewidth=1.0, linestyle=(0, (3, 3)),
            label="perfectly calibrated",
        )  # fmt: skip
        upper.vlines(confidence, confidence, accuracy, color=SERIES[1], linewidth=3.0, alpha=0.35)
        upper.plot(
            confidence, accuracy, color=SERIES[0], marker="o", markersize=4.0, label="this model"
        )
        upper.set_xlim(max(0.0, least - 0.03), 1.01)
        upper.set_ylim(min(float(accuracy.min()), least) - 0.03, 1.03)
        upper.legend(loc="upper left")
        width = 0.6 * float(np.diff(np.sort(confidence)).min()) if len(confidence) > 1 else 0.05
        lower.bar(confidence, counts / counts.sum(), width=width, color=SERIES[0], alpha=0.6)
        lower.grid(visible=False, axis="x")
        lower.set_title("share of all predictions", loc="left", fontsize=9.0, color=MUTED)
        lower.set_xlabel("confidence: probability of the predicted class")
        lower.locator_params(axis="y", nbins=3)
        _percent(lower.yaxis)

    return draw(paint, name=name, description=description, height=3.7)


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    name: str,
    description: str,
    x_label: str,
    y_label: str,
    limit: float | None = None,
    limit_label: str = "",
) -> Html:
    """Bars between `edges` (one more than `counts`), and a line where something is cut off."""

    def paint(figure: Any) -> None:
        axes = plain_axes(figure, x_label=x_label, y_label=y_label)
        axes.stairs(counts, edges, fill=True, color=SERIES[0], alpha=0.65, linewidth=0.0)
        axes.set_ylim(bottom=0.0)
        if limit is not None:
            axes.set_xlim(float(edges[0]), max(float(edges[-1]), limit) * 1.02)
            _cut(axes, limit, limit_label)
        _whole_steps(axes)
        _thousands(axes.yaxis)

    return draw(paint, name=name, description=description)


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def two_histograms(
    edges: np.ndarray,
    groups: Sequence[tuple[str, np.ndarray]],
    *,
    name: str,
    description: str,
    x_label: str,
    limit: float | None = None,
    limit_label: str = "",
) -> Html:
    """Two groups of texts over the same `edges` of probability, one in front of the other."""

    def paint(figure: Any) -> None:
        axes = plain_axes(figure, x_label=x_label, y_label="texts")
        for (label, counts), colour, dashes in zip(groups, SERIES, _DASHES, strict=False):
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.25, linewidth=0.0)
            axes.stairs(counts, edges, color=colour, linestyle=dashes, linewidth=1.6, label=label)
        axes.set_ylim(bottom=0.0)
        axes.set_xlim(0.0, 1.0)
        legend_above(axes, columns=2)
        if limit is not None:
            _cut(axes, limit, limit_label)
        _thousands(axes.yaxis)

    return draw(paint, name=name, description=description, height=3.7)


def _cut(axes: Any, place: float, label: str) -> None:
    """A named line from bottom to top."""
    axes.axvline(place, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    low, high = axes.get_xlim()
    is_right = place > (low + high) / 2
    axes.annotate(
        label,
        (place, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if is_right else 5, -9),
        textcoords="offset points",
        ha="right" if is_right else "left",
        fontsize=9.0,
    )
