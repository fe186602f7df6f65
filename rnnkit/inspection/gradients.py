"""How far gradients reach back in time: tables, curves and what to say about them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from rnnkit.errors import UsageError
from rnnkit.inspection.gradient_study import (
    GradientStudy,
    study_classifiers,
    study_language_models,
)
from rnnkit.inspection.profiles import Clipping, Profile, Progress, StateProfile
from rnnkit.inspection.subject import ClassifierSubject, LanguageSubject, Subject
from rnnkit.network.cells import CELLS
from rnnkit.views.formats import compact, count, number, percent
from rnnkit.views.plot import Axis, Figure, Line, Panel
from rnnkit.views.terminal import levels
from rnnkit.views.view import Column, Pair, Section, Table, Tile, View, table

_BAR = 24
"""Characters of the longest bar."""

_SMALLEST = 1e-300
_MOST_LETTERS = 30

_FEW = 4
"""Curves whose table has room beside the figure."""


def gradients_view(
    subjects: Sequence[Subject],
    *,
    text: str | None = None,
    files: Sequence[str] = (),
    distance: int | None = None,
    windows: int = 128,
    clip_norm: float | None = None,
    progress: Progress = lambda done, total: None,
) -> View:
    """Look at the gradients of networks of one task, side by side.

    Args:
        subjects: the networks, as `networks_to_compare` returns them.
        text: what is read.
        files: texts to read instead; without both, the held-out text of each run.
        distance: steps back from the loss; None is up to 50.
        windows: pieces of text to average over.
        clip_norm: takes the place of the configured one, for language models.
        progress: called with pieces of text, for each network from the first on.

    Raises:
        DataError: the text cannot be read, has changed, or is too short.
        UsageError: `clip_norm` is given for a classifier.
    """
    if isinstance(subjects[0], LanguageSubject):
        study = study_language_models(
            [one for one in subjects if isinstance(one, LanguageSubject)],
            text=text,
            files=files,
            distance=distance,
            windows=windows,
            clip_norm=clip_norm,
            progress=progress,
        )
    elif clip_norm is not None:
        raise UsageError("--clip-norm is for language models; this is a classifier.")
    else:
        study = study_classifiers(
            [one for one in subjects if isinstance(one, ClassifierSubject)],
            text=text,
            files=files,
            distance=distance,
            windows=windows,
            progress=progress,
        )
    return show_gradients(study)


# ---------------------------------------------------------------------------------- sentences


def curve_name(study: GradientStudy, profile: Profile, state: StateProfile) -> str:
    """Return a name that no other curve of the view has."""
    symbol = "h" if state.kind == "hidden" else "c"
    own = f"{state.layer} {symbol}"
    return own if len(study.profiles) == 1 else f"{profile.name.rpartition('/')[2]} {own}"


def verdict(state: StateProfile) -> str:
    """Return what happens to a gradient, with its numbers."""
    if not math.isfinite(state.ratio):
        return "leaves the range of the numbers on the way: it explodes"
    if state.ratio >= 1.0:
        left = f"{state.ratio:.3g} times as much"
    else:
        left = f"{percent(state.ratio, 2) if state.ratio >= 1e-4 else f'{state.ratio:.2g}'} of it"
    return (
        f"x {state.factor:.3f} a step, {left} after {count(state.distance, 'step')}: "
        f"it {state.trend}"
    )


def clipping_words(clipping: Clipping) -> str:
    """Return what clipping does, in a sentence or two."""
    before, after = clipping.norm_before, clipping.norm_after
    batch = f"{count(clipping.windows, 'window')} of {count(clipping.steps, 'step')}"
    found = (
        f"On a batch of {batch} the gradient of the training loss by all weights has the norm "
        f"{compact(before)}."
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
    scaled = f"{found} With {named} it is {compact(after)}: times {compact(after / before)}."
    if clipping.value_limit is not None:
        return f"{scaled} clip_value turns it, too, since it cuts off single numbers."
    return (
        f"{scaled} All of it alike: a step no longer jumps, but what comes from far away stays as "
        "small beside what is near."
    )


def shown_distances(state: StateProfile) -> list[int]:
    """Return some of the distances: all of the first, then fewer and fewer, and the last."""
    steps = [0, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 500, 700]
    shown = [step for step in steps if step < state.distance]
    return [*shown, state.distance]


# ----------------------------------------------------------------------------------------- view


def show_gradients(study: GradientStudy) -> View:
    """Return the view of gradients over the distance they have come."""
    first = study.profiles[0]
    figure, trends = _figure(study), _trends(study)
    cells = list(dict.fromkeys(CELLS[profile.cell].title for profile in study.profiles))
    windows = "windows" if first.warm_up else "pieces of text"
    pieces = count(first.windows, "piece of text", "pieces of text")
    printed = [f"{one.name} ({one.cell}; {one.origin})" for one in study.profiles]
    printed.append(f"Norm of dL/dh over the distance from L, mean of {pieces}")
    printed.append(f"({study.source})")
    sections = [
        Section("", printed="\n".join(printed), on="terminal"),
        Section(
            "Gradients over time",
            (Pair((figure,), (trends,)),) if len(study.states) <= _FEW else (figure, trends),
            "The norm of dL/dh, the gradient of the loss of one prediction by the hidden state so "
            "many steps before it; dL/dc for the cell state of an LSTM. A straight line is a "
            "constant factor per step.",
            on="page",
        ),
        Section("Numbers", (_numbers(study),), "Means over all windows.", printed=""),
        Section("", (_sparklines(study),), on="terminal"),
    ]
    if study.clipping is not None:
        words = clipping_words(study.clipping)
        named = len(study.profiles) > 1
        sections += [
            Section("", printed=f"{first.name}: {words}" if named else words, on="terminal"),
            Section(
                f"Clipping: {first.name.rpartition('/')[2]}" if named else "Clipping",
                (_clipping(study.clipping),),
                words,
                printed="",
            ),
        ]
    return View(
        title="Gradients",
        subject=first.name.rpartition("/")[2],
        sections=tuple(sections),
        document=_document(study),
        tiles=(
            Tile("cell" if len(study.profiles) == 1 else "cells", ", ".join(cells)),
            Tile(windows, number(first.windows)),
            Tile("distance", count(first.states[0].distance, "step")),
            Tile("text", study.source),
            Tile("weights", first.origin),
        ),
        notes=study.notes,
        picture=replace(figure, width=8.0, height=4.6),
    )


def _trends(study: GradientStudy) -> Table:
    rows = [
        (
            curve_name(study, profile, state),
            profile.origin,
            number(state.factor, 3) if math.isfinite(state.factor) else compact(state.factor),
            compact(state.ratio),
            f"it {state.trend}",
        )
        for profile, state in study.states
    ]
    columns = (
        Column("state", "left"),
        Column("weights", "left"),
        Column("factor per step"),
        Column("left at the end"),
        Column("", "left"),
    )
    return table(columns, rows, caption="How the gradients change")


def _numbers(study: GradientStudy) -> Table:
    states = [state for _, state in study.states]
    names = [curve_name(study, profile, state) for profile, state in study.states]
    columns = [Column("distance"), *map(Column, names)]
    rows: list[tuple[str, ...]] = []
    for distance in shown_distances(states[0]):
        rows.append((str(distance), *(compact(float(state.norms[distance])) for state in states)))
    if len(states) == 1:
        columns.append(Column("", "left", on="terminal"))
        heights = _heights(states[0], range(len(states[0].norms)))
        rows = [(*row, "█" * round(_BAR * heights[int(row[0])])) for row in rows]
    return table(columns, rows, caption="Norm of the gradient over the distance")


def _sparklines(study: GradientStudy) -> Table:
    distances = shown_distances(study.profiles[0].states[0])
    rows = [
        (curve_name(study, profile, state), levels(_heights(state, distances)), verdict(state))
        for profile, state in study.states
    ]
    return table(("", "", ""), rows, left="all")


def _heights(state: StateProfile, distances: Iterable[int]) -> list[float]:
    """Return 0 to 1 on a logarithmic scale of six decades that ends at the largest norm."""
    norms = np.nan_to_num(state.norms[list(distances)], nan=np.inf, posinf=np.inf)
    top = norms[np.isfinite(norms)].max(initial=0.0)
    if top <= 0.0:
        return [0.0] * len(norms)
    with np.errstate(divide="ignore"):
        return (1.0 + np.log10(norms / top) / 6.0).clip(0.0, 1.0).tolist()


def _clipping(clipping: Clipping) -> Table:
    rows = [
        (name, compact(norm), compact(clipping.after[name]))
        for name, norm in clipping.before.items()
    ]
    caption = "Gradient of the training loss by every weight"
    return table(("weight", "norm", "clipped"), rows, left=("weight",), caption=caption)


def _figure(study: GradientStudy) -> Figure:
    lines = []
    for profile, state in study.states:
        finite = np.where(np.isfinite(state.norms), state.norms, np.nan)
        name = curve_name(study, profile, state)
        # The end of a name says which layer it is.
        label = name if len(name) <= _MOST_LETTERS else f"…{name[1 - _MOST_LETTERS :]}"
        lines.append(Line(label, np.arange(len(finite)), np.maximum(finite, _SMALLEST)))
    told = "; ".join(
        f"{curve_name(study, profile, state)}: {verdict(state)}" for profile, state in study.states
    )
    panel = Panel(
        "norm of the gradient",
        tuple(lines),
        x=Axis("steps back from the loss"),
        y=Axis(scale="log", unit="compact"),
        legend="below" if len(lines) > 1 else None,
    )
    return Figure("gradients", (panel,), f"Norm of the gradient. {told}.", height=3.8)


def _document(study: GradientStudy) -> dict[str, object]:
    clipping = study.clipping
    return {
        "text": study.source,
        "profiles": [
            {
                "name": profile.name,
                "cell": profile.cell,
                "weights_are": profile.origin,
                "windows": profile.windows,
                "warm_up": profile.warm_up,
                "states": [
                    {
                        "layer": state.layer,
                        "state": state.kind,
                        "norms": state.norms.tolist(),
                        "factor_per_step": state.factor,
                        "ratio": state.ratio,
                        "fate": state.trend,
                    }
                    for state in profile.states
                ],
            }
            for profile in study.profiles
        ],
        "clipping": None
        if clipping is None
        else {
            "clip_norm": clipping.limit,
            "clip_value": clipping.value_limit,
            "windows": clipping.windows,
            "steps": clipping.steps,
            "norm": clipping.norm_before,
            "clipped_norm": clipping.norm_after,
            "weights": {
                name: {"norm": norm, "clipped_norm": clipping.after[name]}
                for name, norm in clipping.before.items()
            },
        },
        "notes": list(study.notes),
    }
