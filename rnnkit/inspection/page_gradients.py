"""Gradients over the distance they have come, as a page and as a picture."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnkit.inspection.gradient_view import GradientView
from rnnkit.inspection.gradients import Clipping, Fate, Profile, StateProfile
from rnnkit.inspection.page import PageSection, inspection_page
from rnnkit.views.canvas import draw, draw_png, plain_axes
from rnnkit.views.markup import Html, join, paragraphs, table, tag, visible
from rnnkit.views.style import ON_PAGE, ON_PAPER, Palette
from rnnkit.views.words import cell, count, number, share, small

_DASHES = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 2)))

_SMALLEST = 1e-300
_MOST_LETTERS = 30

FATES: dict[Fate, str] = {
    "vanishes": "it vanishes",
    "fades": "it fades",
    "lasts": "it lasts",
    "grows": "it grows",
    "explodes": "it explodes",
}


# ---------------------------------------------------------------------------------- sentences


def curve_name(view: GradientView, profile: Profile, state: StateProfile) -> str:
    """A name that no other curve of the view has."""
    symbol = "h" if state.kind == "hidden" else "c"
    own = f"{state.layer} {symbol}"
    return own if len(view.profiles) == 1 else f"{profile.name.rpartition('/')[2]} {own}"


def verdict(state: StateProfile) -> str:
    """What becomes of a gradient, with its numbers."""
    if not math.isfinite(state.ratio):
        return "leaves the range of the numbers on the way: it explodes"
    if state.ratio >= 1.0:
        left = f"{state.ratio:.3g} times as much"
    else:
        left = f"{share(state.ratio, 2) if state.ratio >= 1e-4 else f'{state.ratio:.2g}'} of it"
    return (
        f"x {state.factor:.3f} a step, {left} after {count(state.distance, 'step')}: "
        f"{FATES[state.fate]}"
    )


def clipping_words(clipping: Clipping) -> str:
    """What clipping does, in a sentence or two."""
    before, after = clipping.norm_before, clipping.norm_after
    batch = f"{count(clipping.windows, 'window')} of {count(clipping.steps, 'step')}"
    found = (
        f"On a batch of {batch} the gradient of the training loss by all weights has the norm "
        f"{small(before)}."
    )
    limits = [
        f"{name} {limit:g}"
        for name, limit in (("clip_value", clipping.value_limit), ("clip_norm", clipping.limit))
        if limit is not None
    ]
    if not limits:
        return f"{found} Nothing limits it: no clip_norm is configured; try --clip-norm."
    named = " and ".join(limits)
    if not math.isfinite(before):
        return f"{found} No limit helps against that: {named}."
    if math.isclose(before, after, rel_tol=1e-9):
        return f"{found} That is within {named}, so it stays as it is."
    scaled = f"{found} With {named} it is {small(after)}: times {small(after / before)}."
    if clipping.value_limit is not None:
        return f"{scaled} clip_value turns it, too, since it cuts off single numbers."
    return (
        f"{scaled} All of it alike: a step no longer jumps, but what comes from far away stays as "
        "small beside what is near."
    )


def shown_distances(state: StateProfile) -> list[int]:
    """Some of the distances: all of the first, then fewer and fewer, and the last."""
    steps = [0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700]
    shown = [step for step in steps if step < state.distance]
    return [*shown, state.distance]


# --------------------------------------------------------------------------------------- page


def gradients_page(view: GradientView) -> str:
    """The whole page, the same for the same view."""
    first = view.profiles[0]
    facts = [
        ("cell" if len(view.profiles) == 1 else "cells", ", ".join(_cells(view.profiles))),
        ("windows" if first.warm_up else "pieces of text", number(first.windows)),
        ("distance", count(first.states[0].distance, "step")),
        ("text", view.source),
        ("weights", first.origin),
    ]
    sections = [
        PageSection(
            "Gradients over time",
            "The norm of dL/dh, the gradient of the loss of one prediction by the hidden state so "
            "many steps before it; dL/dc for the cell state of an LSTM. A straight line is a "
            "constant factor per step.",
            join(
                [
                    paragraphs(view.notes),
                    tag("div", tag("figure", _figure(view)), _verdicts(view), class_="pair"),
                ]
            ),
        ),
        PageSection("Numbers", "Means over all windows.", _numbers(view)),
    ]
    if view.clipping is not None:
        body = _clipping(view.clipping)
        heading = "Clipping" if len(view.profiles) == 1 else f"Clipping: {first.name}"
        sections.append(PageSection(heading, clipping_words(view.clipping), body))
    return inspection_page(
        title="Gradients", run=first.name.rpartition("/")[2], facts=facts, sections=sections
    )


def gradients_picture(view: GradientView) -> bytes:
    """The curves as PNG."""
    return draw_png(lambda figure: _paint(figure, view, ON_PAPER), width=8.0, height=4.6)


def _cells(profiles: Sequence[Profile]) -> list[str]:
    return list(dict.fromkeys(cell(profile.cell) for profile in profiles))


def _verdicts(view: GradientView) -> Html:
    rows = [
        (
            curve_name(view, profile, state),
            profile.origin,
            number(state.factor, 3) if math.isfinite(state.factor) else small(state.factor),
            small(state.ratio),
            FATES[state.fate],
        )
        for profile, state in view.states
    ]
    header = ("state", "weights", "factor per step", "left at the end", "")
    return table(header, rows, caption="What becomes of the gradients", text_columns=(0, 1, 4))


def _numbers(view: GradientView) -> Html:
    names = [curve_name(view, profile, state) for profile, state in view.states]
    rows = [
        (str(distance), *(small(float(state.norms[distance])) for _, state in view.states))
        for distance in shown_distances(view.states[0][1])
    ]
    return table(
        ("distance", *names), rows, caption="Norm of the gradient over the distance",
        text_columns=(),
    )  # fmt: skip


def _clipping(clipping: Clipping) -> Html:
    rows = [
        (name, small(norm), small(clipping.after[name])) for name, norm in clipping.before.items()
    ]
    rows.append(("all weights", small(clipping.norm_before), small(clipping.norm_after)))
    header = ("weight", "norm before", "norm after")
    return table(header, rows, caption="Gradient of the training loss by every weight")


# ------------------------------------------------------------------------------------- figure


def _legend(name: str) -> str:
    """The end of a name, where the layer stands, if there is no room for all of it."""
    return visible(name if len(name) <= _MOST_LETTERS else f"…{name[1 - _MOST_LETTERS :]}")


def _figure(view: GradientView) -> Html:
    def paint(figure: Any) -> None:
        _paint(figure, view, ON_PAGE)

    told = "; ".join(
        f"{curve_name(view, profile, state)}: {verdict(state)}" for profile, state in view.states
    )
    description = visible(f"Norm of the gradient. {told}.")
    return draw(paint, name="gradients", description=description, height=3.8)


def _paint(figure: Any, view: GradientView, palette: Palette) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    label = "norm of the gradient"
    axes = plain_axes(figure, x_label="steps back from the loss", y_label=label)
    axes.set_title(label, loc="left", fontsize=9.0, color=palette.muted, pad=8.0)
    for index, (profile, state) in enumerate(view.states):
        norms = np.where(np.isfinite(state.norms), state.norms, np.nan)
        axes.plot(
            np.arange(len(norms)),
            np.maximum(norms, _SMALLEST),
            color=palette.series[index % len(palette.series)],
            linestyle=_DASHES[index // len(palette.series) % len(_DASHES)]
            if len(view.states) > len(palette.series)
            else _DASHES[index],
            label=_legend(curve_name(view, profile, state)),
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: small(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if len(view.states) > 1:
        figure.legend(loc="outside lower left", ncols=2, columnspacing=1.6)
