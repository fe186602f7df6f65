"""The layers of a network as a page, and as a picture of where the parameters and the work are."""

from typing import Any

from rnnkit.inspection.page import PageSection, inspection_page
from rnnkit.inspection.summary import Summary
from rnnkit.views.canvas import HEIGHT, draw, draw_png
from rnnkit.views.markup import Html, join, table, tag
from rnnkit.views.style import ON_PAGE, ON_PAPER, Palette
from rnnkit.views.words import DASH, number

_DESCRIPTION = "Bars: the share of each layer in the parameters and in the multiply-adds per token."


def memory(size: int) -> str:
    """Bytes for people: `960 B`, `1.5 KiB`, `64.0 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024.0 and len(units) > 1:
        value /= 1024.0
        units.pop(0)
    return f"{size} B" if units[0] == "B" else f"{value:,.1f} {units[0]}"


def shape(output: tuple[str | int, ...]) -> str:
    """`batch x time x 256`."""
    return " x ".join(f"{size:,}" if isinstance(size, int) else size for size in output)


def summary_page(summary: Summary, *, name: str, origin: str) -> str:
    """The whole page, the same for the same summary."""
    facts = [
        ("parameters", number(summary.parameters)),
        ("memory of the weights", memory(summary.weight_bytes)),
        ("state of a sequence", memory(summary.state_bytes)),
        ("multiply-adds per token", number(summary.multiply_adds("token"))),
        ("weights", origin),
    ]
    sections = [
        PageSection(
            "Layers",
            "Multiply-adds are those of the matrix products; what is computed element by element "
            "is not counted. Memory is in float32.",
            _layers(summary),
        ),
        PageSection(
            "Shares",
            "Which layers hold the parameters, and which do the work for each token.",
            tag("figure", _figure(summary), style="max-width: 46rem"),
        ),
        PageSection("Weights", "Names and shapes, as in the saved model.", _weights(summary)),
    ]
    return inspection_page(
        title="Layers", run=name.rpartition("/")[2], facts=facts, sections=sections
    )


def summary_picture(summary: Summary) -> bytes:
    """The bars as PNG."""
    return draw_png(lambda figure: _paint(figure, summary, ON_PAPER), width=7.0, height=HEIGHT)


def _layers(summary: Summary) -> Html:
    rows = [
        (
            layer.name,
            layer.kind,
            shape(layer.output),
            number(layer.parameters),
            memory(layer.weight_bytes) if layer.parameters else DASH,
            memory(layer.state_bytes) if layer.state_bytes else DASH,
            number(layer.multiply_adds) + (" per text" if layer.per == "text" else "")
            if layer.multiply_adds
            else DASH,
        )
        for layer in summary.layers
    ]
    header = ("layer", "kind", "output", "parameters", "weights", "state", "multiply-adds")
    listed = table(header, rows, caption="Layers of the network", text_columns=(0, 1, 2))
    if not summary.fixed:
        return listed
    fixed = f"{summary.fixed:,} of the parameters are not trained by gradients."
    return join([listed, tag("p", fixed, class_="label")])


def _weights(summary: Summary) -> Html:
    rows = [
        (name, " x ".join(f"{length:,}" for length in size))
        for layer in summary.layers
        for name, size in layer.weights
    ]
    return table(("weight", "shape"), rows, caption="Weights", class_="keys")


def _figure(summary: Summary) -> Html:
    def paint(figure: Any) -> None:
        _paint(figure, summary, ON_PAGE)

    return draw(paint, name="shares", description=_DESCRIPTION)


def _paint(figure: Any, summary: Summary, palette: Palette) -> None:
    layers = [layer for layer in summary.layers if layer.parameters or layer.multiply_adds]
    axes = figure.add_subplot()
    axes.grid(visible=False, axis="y")
    totals = (summary.parameters or 1, summary.multiply_adds("token") or 1)
    for index, layer in enumerate(layers):
        work = layer.multiply_adds if layer.per == "token" else 0
        values = (layer.parameters / totals[0], work / totals[1])
        for place, (value, colour) in enumerate(zip(values, palette.series, strict=False)):
            labels = ("parameters", "multiply-adds per token")
            axes.barh(
                index + 0.38 * (place - 0.5),
                100.0 * value,
                height=0.34,
                color=colour,
                label=labels[place] if index == 0 else "_",
            )
    axes.set_yticks(range(len(layers)), [layer.name for layer in layers])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("percent of the network")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0.2)
