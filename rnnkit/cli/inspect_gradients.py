"""`rnnkit inspect gradients`: how far gradients reach back in time."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import (
    format_table,
    keep_numpy_to_one_thread,
    print_json,
    progress_bar,
)
from rnnkit.cli.inspected import open_subject, subject_argument
from rnnkit.cli.options import FiniteRange, json_option, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option, write_files
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.inspection.gradient_view import GradientView
    from rnnkit.inspection.gradients import StateProfile

_BAR = 24
"""Characters of the longest bar."""


@click.command("gradients")
@subject_argument()
@click.option("--text", metavar="TEXT", help="Look at this text.")
@click.option(
    "--file",
    "--data",
    "files",
    multiple=True,
    metavar="FILE",
    help="Look at this text [default: the validation part of the run's own text]. Of a "
    "classifier, every line is a text.",
)
@click.option(
    "--distance",
    type=click.IntRange(min=1),
    metavar="N",
    help="Look so many steps back [default: 50, or what window and text allow].",
)
@click.option(
    "--windows",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    metavar="N",
    help="Average over so many pieces of the text, spread evenly.",
)
@click.option(
    "--compare",
    "compared",
    multiple=True,
    metavar="RUN|cells",
    help="Put another run or configuration beside it; repeatable. `cells` stands for fresh "
    "networks of the same size with each of the three cells.",
)
@click.option(
    "--recurrent-scale",
    type=FiniteRange(min=0.0),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Multiply every recurrent matrix by S first: below 1 gradients vanish sooner, above 1 "
    "they grow.",
)
@click.option(
    "--clip-norm",
    type=FiniteRange(min=0.0, min_open=True),
    metavar="C",
    help="Show what `training.clip_norm: C` does to the gradient [default: as configured].",
)
@html_option
@png_option
@runs_dir_option
@json_option
def command(
    target: str | None,
    text: str | None,
    files: tuple[str, ...],
    distance: int | None,
    windows: int,
    compared: tuple[str, ...],
    recurrent_scale: float,
    clip_norm: float | None,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Show how far gradients reach back in time: whether they vanish or explode.

    The loss L of one prediction is followed back through time: the norm of dL/dh, its gradient by
    the hidden state h so many steps before, for every layer, and for an LSTM also dL/dc. At each
    step it is multiplied by the Jacobian of the cell, so it shrinks or grows by about the same
    factor, which is fitted. Below 0.001 of its beginning it is said to vanish, above 1000 to
    explode.

    A fresh simple RNN with an orthogonal recurrent matrix carries gradients far, and fresh gates
    do not: what training makes of them is what counts, so compare trained runs. Clipping, shown
    for the gradient by all weights, ends explosions; it does not bring back what has vanished.

    Of a classifier, L is the loss of the class that it decides for.

    \b
    Example:
      rnnkit inspect gradients
      rnnkit inspect gradients lstm --compare gru --compare simple_rnn --html gradients.html
      rnnkit inspect gradients configs/shakespeare.yaml --compare cells
      rnnkit inspect gradients --compare cells --recurrent-scale 3 --clip-norm 1
    """
    if text is not None and files:
        raise UsageError("--text and --file both give the text to look at; use one.")
    if not math.isfinite(recurrent_scale) or not math.isfinite(clip_norm or 0.0):
        raise UsageError("--recurrent-scale and --clip-norm take finite numbers.")
    check_files(html_path=html_path, png_path=png_path)
    # Products of single steps are small: handing them from thread to thread takes longer.
    keep_numpy_to_one_thread()
    from rnnkit.inspection.gradient_view import GradientChoice, gradient_view
    from rnnkit.inspection.page_gradients import gradients_page, gradients_picture

    subject = open_subject(target, runs_dir=runs_dir)
    others = [open_subject(name, runs_dir=runs_dir) for name in compared if name != "cells"]
    choice = GradientChoice(text, files, distance, windows, recurrent_scale, clip_norm)
    with progress_bar("going back") as progress:
        view = gradient_view(
            subject, others, cells="cells" in compared, choice=choice, progress=progress
        )
    for note in view.notes:
        click.echo(note, err=True)
    if as_json:
        print_json(_document(view))
    else:
        _print(view)
    write_files(
        html_path=html_path,
        png_path=png_path,
        page=lambda: gradients_page(view),
        picture=lambda: gradients_picture(view),
    )


def _print(view: "GradientView") -> None:
    from rnnkit.inspection.page_gradients import (
        clipping_words,
        curve_name,
        shown_distances,
        verdict,
    )

    for profile in view.profiles:
        click.echo(f"{profile.name} ({profile.cell}; {profile.origin})")
    first = view.profiles[0]
    click.echo(f"Norm of dL/dh over the distance from L, mean of {_pieces(first.windows)}")
    click.echo(f"({view.source})\n")
    names = [curve_name(view, profile, state) for profile, state in view.states]
    states = [state for _, state in view.states]
    distances = shown_distances(states[0])
    rows = [
        (
            str(distance),
            *(f"{state.norms[distance]:.4g}" for state in states),
            *(_bar(state, distance) for state in states[:1] if len(states) == 1),
        )
        for distance in distances
    ]
    header = ("distance", *names, *([""] if len(states) == 1 else []))
    click.echo(format_table(header, rows, left=("",)))
    click.echo()
    lines = [
        (name, _spark(state, distances), verdict(state))
        for name, state in zip(names, states, strict=True)
    ]
    click.echo(
        format_table(("state", "course", "a"), lines, left=("state", "course", "a")).partition(
            "\n"
        )[2]
    )
    if view.clipping is not None:
        whose = f"{first.name}: " if len(view.profiles) > 1 else ""
        click.echo(f"\n{whose}{clipping_words(view.clipping)}")
        rows = [
            (name, f"{norm:.4g}", f"{view.clipping.after[name]:.4g}")
            for name, norm in view.clipping.before.items()
        ]
        click.echo(f"\n{format_table(('weight', 'norm', 'clipped'), rows, left=('weight',))}")


def _pieces(number: int) -> str:
    return "1 piece of text" if number == 1 else f"{number:,} pieces of text"


def _bar(state: "StateProfile", distance: int) -> str:
    """A bar on a logarithmic scale, from a millionth of the largest norm, or the smallest."""
    heights = _heights(state, list(range(len(state.norms))))
    return "█" * round(_BAR * heights[distance])


def _spark(state: "StateProfile", distances: list[int]) -> str:
    bars = "▁▂▃▄▅▆▇█"
    return "".join(bars[round(height * (len(bars) - 1))] for height in _heights(state, distances))


def _heights(state: "StateProfile", distances: list[int]) -> list[float]:
    """0 to 1 on a logarithmic scale of six decades that ends at the largest norm."""
    norms = [float(state.norms[distance]) for distance in distances]
    finite = [norm for norm in norms if math.isfinite(norm)]
    top = max(finite, default=0.0)
    if top <= 0.0:
        return [0.0 for _ in norms]
    return [
        1.0
        if not math.isfinite(norm)
        else min(max(1.0 + math.log10(norm / top) / 6.0, 0.0), 1.0)
        if norm > 0.0
        else 0.0
        for norm in norms
    ]


def _document(view: "GradientView") -> dict[str, Any]:
    clipping = view.clipping
    return {
        "text": view.source,
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
                        "fate": state.fate,
                    }
                    for state in profile.states
                ],
            }
            for profile in view.profiles
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
        "notes": list(view.notes),
    }
