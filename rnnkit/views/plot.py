"""Figures as values: arrays of numbers and how they are drawn, without a drawing library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # a view without a figure does not load NumPy
    import numpy as np

Numbers: TypeAlias = "Sequence[float] | np.ndarray"


@dataclass(frozen=True, eq=False)
class Line:
    """A curve through points `x`, `y` of the same length.

    Attributes:
        label: its name in the legend; "" keeps it out.
        x: float[points].
        y: float[points]; gaps are NaN.
        colour: number of a series colour, None for the next one.
        kind: `series` is a curve, `faint` a thin one behind others, `reference` a dashed grey one.
    """

    label: str
    x: Numbers
    y: Numbers
    colour: int | None = None
    kind: Literal["series", "faint", "reference"] = "series"


@dataclass(frozen=True, eq=False)
class Band:
    """An area between `low` and `high` float[points]."""

    label: str
    x: Numbers
    low: Numbers
    high: Numbers
    colour: int = 1


@dataclass(frozen=True, eq=False)
class Stems:
    """Vertical lines at `x` from `low` to `high` float[points]."""

    x: Numbers
    low: Numbers
    high: Numbers
    colour: int = 1


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of length `values` float[bars] at `x`.

    Attributes:
        values: float[bars].
        x: where they stand; None for 0, 1, 2 ...
        label: in the legend; "" keeps it out.
        errors: half the length of an interval, float[bars].
        colour: number of a series colour, None for orange above zero and blue below.
        width: of a bar, in units of x.
        horizontal: bars to the right of names instead of columns.
    """

    values: Numbers
    x: "Numbers | None" = None
    label: str = ""
    errors: "Numbers | None" = None
    colour: int | None = 0
    width: float = 0.8
    horizontal: bool = False


@dataclass(frozen=True, eq=False)
class Histogram:
    """Counts between `edges` (one more than `counts`); `outlined` where several overlap."""

    edges: Numbers
    counts: Numbers
    label: str = ""
    outlined: bool = False


@dataclass(frozen=True)
class Point:
    """A marked point, with its label beside it or, `in_legend`, in the legend."""

    label: str
    x: float
    y: float
    colour: int = 1
    in_legend: bool = False


@dataclass(frozen=True)
class Rule:
    """A vertical line from bottom to top at `x`, with its label beside it."""

    label: str
    x: float


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Cells coloured by `values` float[rows, columns] of -`largest` to `largest`.

    Attributes:
        values: orange above zero, blue below; NaN is shown as nothing.
        largest: the value of the strongest colour.
        columns: at least so many are drawn, so that maps below each other line up.
    """

    values: "np.ndarray"
    largest: float
    columns: int = 0


Mark = Line | Band | Stems | Bars | Histogram | Point | Rule | HeatMap


@dataclass(frozen=True)
class Axis:
    """How one axis is labelled.

    Attributes:
        label: below or beside it.
        scale: `log2` has a tick at every doubling.
        low: its lower end, None for that of the data.
        high: its upper end.
        unit: `percent` shows 0.5 as 50 %, `integer` has ticks at whole numbers, `compact` shows
            numbers of any size in four digits.
        names: of the places 0, 1, 2 ..., instead of numbers.
    """

    label: str = ""
    scale: Literal["linear", "log", "log2"] = "linear"
    low: float | None = None
    high: float | None = None
    unit: Literal["number", "percent", "integer", "compact"] = "number"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes.

    Attributes:
        title: above the axes: the quantity that the y axis shows.
        marks: in the order of drawing.
        x: the horizontal axis.
        y: the vertical axis.
        legend: where labels are listed, None for no legend.
        grid: the directions of the lines behind the marks.
        height: relative to that of the other panels.
    """

    title: str
    marks: tuple[Mark, ...]
    x: Axis = Axis()
    y: Axis = Axis()
    legend: (
        Literal["above", "below", "upper left", "upper right", "lower left", "lower right"] | None
    ) = None
    grid: Literal["x", "y", "both", "none"] = "y"
    height: float = 1.0


@dataclass(frozen=True, eq=False)
class Figure:
    """Panels below each other, with what a page says about them.

    Attributes:
        name: unlike that of any other figure of a page.
        panels: from top to bottom.
        description: what is to be seen, read aloud instead of the picture.
        title: its heading on a page.
        caption: below it on a page.
        width: inches.
        height: inches.
    """

    name: str
    panels: tuple[Panel, ...]
    description: str
    title: str = ""
    caption: str = ""
    width: float = 5.0
    height: float = 3.1
