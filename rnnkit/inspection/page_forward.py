"""A text through a network as a page, and as a picture of states and probabilities."""

from typing import Any

import numpy as np

from rnnkit.inspection.forward import Block, Forward, Step
from rnnkit.inspection.page import PageSection, inspection_page
from rnnkit.views.canvas import draw, draw_png
from rnnkit.views.markup import Html, bar, details, join, paragraphs, table, tag, visible
from rnnkit.views.style import ON_PAGE, ON_PAPER, Palette
from rnnkit.views.words import DASH, clip, number, short

_MOST_UNITS = 32
_MOST_TOKENS = 48
_MOST_LETTERS = 10


def forward_page(found: Forward, *, name: str, origin: str, text: str, digits: int) -> str:
    """The whole page, the same for the same numbers."""
    facts = [
        ("text", clip(text, 60)),
        ("tokens", number(len(found.steps))),
        ("weights", origin),
    ]
    sections = [
        PageSection(
            "Predictions" if not found.probabilities else "Classes",
            "",
            join([paragraphs(found.notes), _overview(found, digits)]),
        ),
        PageSection(
            "States and probabilities",
            "Orange is above zero, blue below; the stronger, the larger.",
            tag("figure", _figure(found), style="max-width: 46rem"),
        ),
    ]
    shown = [step for step in found.steps if step.blocks]
    if shown:
        note = "Each table is one layer at one step; its columns are units or tokens."
        if len(shown) < len(found.steps):
            note += f" The first {len(shown)} of {len(found.steps)} steps are shown."
        body = [_step(step, digits, is_open=index == 0) for index, step in enumerate(shown)]
        sections.append(PageSection("Step by step", note, join(body)))
    if found.after:
        body = [_block(block, digits) for block in found.after]
        sections.append(PageSection("After the last token", "", join(body)))
    return inspection_page(
        title="Forward pass", run=name.rpartition("/")[2], facts=facts, sections=sections
    )


def forward_picture(found: Forward) -> bytes:
    """States and probabilities as PNG."""
    height = 5.0 if found.shares is not None else 3.0
    width = 5.0 + 0.1 * min(len(found.steps), _MOST_TOKENS)
    return draw_png(lambda figure: _paint(figure, found, ON_PAPER), width=width, height=height)


def _overview(found: Forward, digits: int) -> Html:
    if found.probabilities:
        rows = [(name, bar(share, f"{share:.{digits}f}")) for name, share in found.probabilities]
        return table(("class", "probability"), rows, caption="Probabilities of the classes")
    rows = []
    for step in found.steps:
        one = step.prediction
        assert one is not None
        rows.append(
            (
                str(step.number),
                tag("span", step.token, class_="token"),
                tag("span", one.predicted, class_="token"),
                bar(one.predicted_probability, f"{one.predicted_probability:.{digits}f}"),
                DASH if one.actual is None else tag("span", one.actual, class_="token"),
                DASH
                if one.probability is None
                else bar(one.probability, f"{one.probability:.{digits}f}"),
                number(one.loss, digits),
            )
        )
    header = ("step", "reads", "predicts", "probability", "next", "its probability", "loss (nats)")
    return table(header, rows, caption="What is predicted after each token", text_columns=(1, 2, 4))


def _step(step: Step, digits: int, *, is_open: bool) -> Html:
    blocks = [_block(block, digits) for block in step.blocks]
    title = f"Step {step.number}: reads {short(step.token)}"
    if is_open:
        return tag("div", tag("h3", title), *blocks)
    return details(title, *blocks)


def _block(block: Block, digits: int) -> Html:
    caption = block.title + (f" (and {block.hidden:,} more)" if block.hidden else "")
    rows = [
        (
            tag("b", line.name) if line.result else line.name,
            *(number(float(value), digits) for value in line.values),
        )
        for line in block.lines
    ]
    return table(("", *block.columns), rows, caption=caption)


# ------------------------------------------------------------------------------------- figures


def _figure(found: Forward) -> Html:
    def paint(figure: Any) -> None:
        _paint(figure, found, ON_PAGE)

    units = min(found.states.shape[1], _MOST_UNITS)
    description = f"Heat map of {units} hidden units over {len(found.steps)} tokens."
    if found.shares is not None:
        description += f" Below it the shares of {', '.join(map(_tick, found.share_names))}."
    height = 5.0 if found.shares is not None else 3.0
    return draw(paint, name="forward", description=description, height=height)


def _paint(figure: Any, found: Forward, palette: Palette) -> None:
    from matplotlib.ticker import MaxNLocator

    tokens = found.tokens[:_MOST_TOKENS]
    states = found.states[: len(tokens), :_MOST_UNITS].T
    panels = 1 if found.shares is None else 2
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    largest = float(np.abs(states).max()) or 1.0
    _heat(axes[0], states, largest, palette)
    more = found.states.shape[1] - len(states)
    title = f"hidden state, largest {largest:.2f}"
    axes[0].set_title(title + (f"; {more} more units" if more else ""), **_title(palette))
    axes[0].set_ylabel("unit")
    axes[0].yaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    if found.shares is not None:
        shares = found.shares[: len(tokens)].T
        _heat(axes[1], shares, float(shares.max()) or 1.0, palette)
        is_attention = found.share_names == ("attention",)
        title = "share of attention" if is_attention else "probability of the next token"
        axes[1].set_title(f"{title}, largest {shares.max():.2f}", **_title(palette))
        names = [_tick(name) for name in found.share_names]
        axes[1].set_yticks(range(len(names)), names)
    labels = [_tick(token) for token in tokens]
    upright = len(labels) < 13 and max(map(len, labels)) <= 3
    for panel in axes:
        panel.set_xticks(range(len(labels)), labels, rotation=0 if upright else 90)


def _tick(token: str) -> str:
    """A token beside an axis: no longer than there is room."""
    return visible(token if len(token) <= _MOST_LETTERS else f"{token[: _MOST_LETTERS - 1]}…")


def _title(palette: Palette) -> dict[str, Any]:
    return {"loc": "left", "fontsize": 9.0, "color": palette.muted}


def _heat(axes: Any, values: np.ndarray, largest: float, palette: Palette) -> None:
    """Cells of two colours, as strong as `values` float64[rows, columns] are large.

    Rectangles rather than an image, so that a page can show them in its own colours.
    """
    from matplotlib.patches import Rectangle

    rows, columns = values.shape
    for is_above, colour in ((True, palette.series[1]), (False, palette.series[0])):
        for row in range(rows):
            for column in range(columns):
                value = float(values[row, column])
                strength = abs(value) / largest
                if (value > 0.0) is is_above and strength > 0.01:
                    axes.add_patch(
                        Rectangle(
                            (column - 0.48, row - 0.46),
                            0.96,
                            0.92,
                            facecolor=colour,
                            alpha=round(strength, 2),
                            linewidth=0.0,
                        )
                    )
    axes.set_xlim(-0.6, columns - 0.4)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.grid(visible=False)
