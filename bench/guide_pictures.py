"""Pictures of what options do: curves of runs -> PNG."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rnnkit.views.canvas import draw_png
from rnnkit.views.style import ON_PAPER

Runs = Mapping[str, Mapping[str, Any]]

WIDTH, HEIGHT = 7.6, 2.9
SOLID, DASHED = "-", (0, (3, 2))


def _axes(figure: Any, place: tuple[int, int, int], *, title: str, x: str, y: str) -> Any:
    axes = figure.add_subplot(*place)
    axes.grid(visible=False, axis="x")
    axes.set_title(title, loc="left", fontsize=9.5, color=ON_PAPER.ink, pad=7.0)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def _curve(
    axes: Any, run: Mapping[str, Any], key: str, colour: int, label: str, *, style: Any = SOLID
) -> None:
    axes.plot(
        run["step"], run[key], color=ON_PAPER.series[colour], linestyle=style, label=label,
        linewidth=1.6,
    )  # fmt: skip


def dropout(runs: Runs, figure: Any) -> None:
    """Training and validation loss on a tenth of the text and on nearly all of it."""
    sides = (
        (1, "a tenth of the text to learn from", "little", "little-dropped", "0.5", (1.0, 2.7)),
        (2, "nine tenths", "gru", "dropped", "0.3", (1.38, 2.25)),
    )
    for place, title, without, with_it, share, limits in sides:
        axes = _axes(
            figure, (1, 2, place), title=title, x="step",
            y="loss (nats per character)" if place == 1 else "",
        )  # fmt: skip
        for colour, (name, label) in enumerate(
            ((without, "no dropout"), (with_it, f"dropout {share}"))
        ):
            _curve(axes, runs[name], "validation_loss", colour, f"{label}, validation")
            _curve(axes, runs[name], "train_loss", colour, f"{label}, training", style=DASHED)
        axes.set_ylim(*limits)
        axes.legend(loc="upper right")


def clipping(runs: Runs, figure: Any) -> None:
    """Loss and gradient where clipping saves the run, loss where it changes little."""
    pair = (("sgd-unclipped", "not clipped"), ("sgd-clipped", "clipped at 1"))
    loss = _axes(
        figure, (1, 3, 1), title="simple RNN, SGD: loss", x="step", y="nats per character, training"
    )
    norm = _axes(figure, (1, 3, 2), title="simple RNN, SGD: gradient", x="step", y="norm")
    for colour, (name, label) in enumerate(pair):
        _curve(loss, runs[name], "train_loss", colour, label)
        _curve(norm, runs[name], "gradient_norm", colour, label)
    _decades(loss)
    _decades(norm)
    loss.set_ylim(top=4000.0)  # room for the legend
    loss.legend(loc="upper right")
    calm = _axes(
        figure, (1, 3, 3), title="GRU, AdamW: loss", x="step", y="nats per character, validation"
    )
    for colour, (name, label) in enumerate((("unclipped", "not clipped"), ("gru", "clipped at 1"))):
        _curve(calm, runs[name], "validation_loss", colour, label, style=(SOLID, DASHED)[colour])
    calm.set_ylim(1.55, 2.7)
    calm.legend(loc="upper right")


def _decades(axes: Any) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


LENGTHS = {4: "length-4", 16: "length-16", 64: "gru", 256: "length-256"}


def truncation(runs: Runs, figure: Any) -> None:
    """Validation loss over time, and the best one against the length of the windows."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    course = _axes(
        figure,
        (1, 2, 1),
        title="while training",
        x="step",
        y="validation loss (nats per character)",
    )
    for colour, (length, name) in enumerate(LENGTHS.items()):
        _curve(course, runs[name], "validation_loss", colour, f"{length} steps")
    course.set_ylim(1.55, 2.7)
    course.legend(loc="upper right")
    best = _axes(figure, (1, 2, 2), title="the best of each", x="data.windows.length", y="")
    losses = [min(runs[name]["validation_loss"]) for name in LENGTHS.values()]
    best.plot(list(LENGTHS), losses, color=ON_PAPER.muted, linewidth=1.0)
    for colour, (length, loss) in enumerate(zip(LENGTHS, losses, strict=True)):
        best.plot([length], [loss], "o", color=ON_PAPER.series[colour], markersize=7)
        best.annotate(
            f"{loss:.3f}", (length, loss), xytext=(7, 7), textcoords="offset points", ha="left"
        )
    best.set_xscale("log", base=2)
    best.xaxis.set_major_locator(FixedLocator(list(LENGTHS)))
    best.xaxis.set_minor_locator(NullLocator())
    best.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    best.set_xlim(3, 600)
    best.margins(y=0.2)


def cells(runs: Runs, figure: Any) -> None:
    """Training and validation loss of the three cells."""
    named = {"simple_rnn": "simple RNN", "gru": "GRU", "lstm": "LSTM"}
    for place, (key, title) in enumerate(
        (("train_loss", "training"), ("validation_loss", "validation")), start=1
    ):
        axes = _axes(
            figure, (1, 2, place), title=title, x="step",
            y="loss (nats per character)" if place == 1 else "",
        )  # fmt: skip
        for colour, (name, label) in enumerate(named.items()):
            _curve(axes, runs[name], key, colour, label)
        axes.set_ylim(1.4, 2.6)
        axes.legend(loc="upper right")


def _picture(paint: Callable[[Runs, Any], None], runs: Runs) -> bytes:
    """A PNG of few colours: curves need no more, and the file is a third of the size."""
    from PIL import Image

    drawn = Image.open(io.BytesIO(draw_png(partial(paint, runs), width=WIDTH, height=HEIGHT)))
    written = io.BytesIO()
    drawn.convert("RGB").quantize(48).save(written, format="png", optimize=True)
    return written.getvalue()


PICTURES: dict[str, Callable[[Runs], bytes]] = {
    paint.__name__: partial(_picture, paint) for paint in (dropout, clipping, truncation, cells)
}
"""Name of the file -> what draws it."""
