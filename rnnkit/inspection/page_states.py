"""The states of a network over a text as a page, and as a picture."""

from collections.abc import Sequence
from typing import Any

from rnnkit.inspection.page import (
    ColouredToken,
    PageSection,
    coloured_text,
    inspection_page,
)
from rnnkit.inspection.state_view import ShownUnit, StateView
from rnnkit.inspection.tracking import Ranking, Tracked
from rnnkit.views.canvas import draw_png
from rnnkit.views.markup import Html, bar, join, paragraphs, table, tag
from rnnkit.views.style import DIVERGING, ON_PAPER
from rnnkit.views.words import cell, count, number

_TOKENS_IN_ROW = 80
_ROWS_OF_PICTURE = 12
_LABEL_SHOWN = 6

# Of the picture, in inches: margins, a row of a unit, and the space for the labels below each.
_WIDTH, _LEFT, _RIGHT, _TOP = 11.0, 0.8, 0.8, 0.5
_UNIT, _LABELS = 0.22, 0.55

STATE_NAMES = {"hidden": "hidden state", "cell": "cell state, tanh(c)"}


def states_page(view: StateView, *, run: str) -> str:
    """The whole page, the same for the same view."""
    facts = [
        ("cell", cell(view.cell)),
        ("layer", str(view.layer)),
        ("units", number(view.width)),
        ("shown", STATE_NAMES[view.kind]),
        ("text", count(len(view.pieces), "token")),
    ]
    sections = []
    if view.ranking is not None:
        sections.append(_ranking_section(view.ranking, view.ranked_on))
    notes = paragraphs(view.notes)
    for index, unit in enumerate(view.units):
        sections.append(
            PageSection(
                heading=f"Unit {unit.unit}{_direction(view, unit)}",
                note=_tracks(unit),
                body_html=join([notes if index == 0 else None, unit_markup(view, unit)]),
            )
        )
    return inspection_page(title="States", run=run, facts=facts, sections=sections)


def unit_markup(view: StateView, unit: ShownUnit) -> Html:
    """The text with the activations of one unit behind it."""
    tokens = [
        ColouredToken(piece, float(value), f"{label} {value:+.3f}")
        for piece, label, value in zip(view.pieces, view.labels, unit.values, strict=True)
    ]
    return coloured_text(tokens, largest=unit.largest, digits=2, spaced=view.spaced)


def _direction(view: StateView, unit: ShownUnit) -> str:
    direction = view.direction(unit.unit)
    return f", reads {direction}" if direction else ""


def _tracks(unit: ShownUnit) -> str:
    if not unit.tracks:
        return ""
    told = [f"{one.name} (r = {one.correlation:+.2f})" for one in unit.tracks]
    return f"Of all units the one that follows best: {', '.join(told)}."


def _ranking_section(ranking: Ranking, ranked_on: str) -> PageSection:
    note = (
        f"Measured on {count(ranking.tokens, 'token')} of {ranked_on}. Each unit was chosen on the "
        "first half of them and scored on the second. r is Pearson's correlation."
    )
    explained = [
        "by chance: what |r| of the same unit stays below in 99 of 100 shifts of the text "
        "against it.",
        "token alone: r of the best guess from the last token, without any memory. A unit "
        "beyond it remembers.",
        "AUC: probability that the unit tells a place with the property from one without "
        "(0.5: it cannot).",
    ]
    body = [
        table(
            ("property", "unit", "r", "by chance", "token alone", "AUC", "next best units"),
            [_row(one) for one in ranking.tracked],
            caption="The unit that follows each property best",
            text_columns=(0,),
            class_="named",
        ),
        tag("p", " ".join(explained), class_="label"),
    ]
    if ranking.missing:
        body.append(tag("p", f"Not in this text: {', '.join(ranking.missing)}.", class_="label"))
    return PageSection("What units track", note, join(body))


def _row(one: Tracked) -> Sequence[Html | str]:
    name = one.name if one.is_found else f"{one.name} (not beyond chance)"
    return (
        name,
        str(one.unit),
        bar(abs(one.correlation), f"{one.correlation:+.2f}"),
        number(one.chance, 2),
        number(one.token_alone, 2),
        number(one.auc, 3),
        ", ".join(f"{unit} ({r:+.2f})" for unit, r in one.others),
    )


# ------------------------------------------------------------------------------------- picture


def states_picture(view: StateView) -> bytes:
    """A heat map as PNG: a column for every token, a row for every shown unit.

    Long texts go on in the next row of the picture, up to 12 of them.
    """
    rows = min(-(-len(view.pieces) // _TOKENS_IN_ROW), _ROWS_OF_PICTURE)
    height = _TOP + rows * (_LABELS + _UNIT * len(view.units))
    return draw_png(lambda figure: _paint(figure, view, rows, height), width=_WIDTH, height=height)


def _paint(figure: Any, view: StateView, rows: int, height: float) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    # Everything has its place; measuring hundreds of letters would take seconds.
    figure.set_layout_engine("none")

    def axes_at(left: float, top: float, width: float, tall: float) -> Any:
        """Axes by inches from the upper left corner."""
        box = (left / _WIDTH, 1 - (top + tall) / height, width / _WIDTH, tall / height)
        return figure.add_axes(box)

    colours = LinearSegmentedColormap.from_list("diverging", DIVERGING)
    scaled = np.array(
        [unit.values / unit.largest if unit.largest else unit.values for unit in view.units]
    )
    tall = _UNIT * len(view.units)
    image = None
    for row in range(rows):
        axes = axes_at(_LEFT, _TOP + row * (_LABELS + tall), _WIDTH - _LEFT - _RIGHT, tall)
        part = slice(row * _TOKENS_IN_ROW, (row + 1) * _TOKENS_IN_ROW)
        labels = [_short(label) for label in view.labels[part]]
        values = np.full((len(scaled), _TOKENS_IN_ROW), np.nan)  # shown as nothing
        values[:, : len(labels)] = scaled[:, part]
        image = axes.imshow(values, cmap=colours, vmin=-1.0, vmax=1.0, aspect="auto")
        axes.grid(visible=False)
        axes.set_yticks(range(len(view.units)), [f"unit {unit.unit}" for unit in view.units])
        axes.set_xticks(range(len(labels)), labels, fontsize=7.0, color=ON_PAPER.ink)
        axes.tick_params(axis="x", length=0, labelrotation=90 if max(map(len, labels)) > 1 else 0)
        axes.spines["bottom"].set_visible(False)
    shown = len(view.labels[: rows * _TOKENS_IN_ROW])
    left = f"; the first {shown} of {len(view.pieces)} tokens" if shown < len(view.pieces) else ""
    figure.text(
        _LEFT / _WIDTH,
        1 - 0.3 / height,
        f"Layer {view.layer}, {STATE_NAMES[view.kind]}, each unit by its largest value{left}",
        fontsize=10.0,
    )
    if image is not None:
        bar = axes_at(_WIDTH - _RIGHT + 0.15, _TOP, 0.12, max(tall, 0.8))
        figure.colorbar(image, cax=bar, ticks=(-1.0, 0.0, 1.0))


def _short(label: str) -> str:
    return label if len(label) <= _LABEL_SHOWN else f"{label[: _LABEL_SHOWN - 1]}…"
