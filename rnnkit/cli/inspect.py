"""`rnnkit inspect`: the look inside a network."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnkit.cli.answer import emit, keep_numpy_to_one_thread, progress_bar
from rnnkit.cli.inspect_text import attributions, states
from rnnkit.cli.options import (
    FiniteRange,
    choose_run,
    complete_run,
)
from rnnkit.cli.page_files import check_files, view_options
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.inspection.subject import Subject


@click.group("inspect")
def command() -> None:
    """Look inside a network: its layers, its arithmetic, its gradients, its states.

    The numbers are computed from the weights of a run, without TensorFlow. `summary`, `forward`
    and `gradients` also take a configuration file: the network that it describes is then shown
    before any training.

    \b
    Example:
      rnnkit inspect summary
      rnnkit inspect forward configs/tutorials/forward_by_hand.yaml --text hell
      rnnkit inspect gradients --compare cells
    """


_subject_argument = click.argument(
    "target", metavar="[RUN|CONFIG]", required=False, shell_complete=complete_run
)


def _open(target: str | None, *, runs_dir: Path) -> "Subject":
    """Open a run, the newest finished one when `target` is None, or a configuration file.

    Raises:
        RunError: there is no such run, or it is damaged.
        ConfigError: the configuration cannot be used.
        DataError: the data of the configuration cannot be read.
    """
    from rnnkit.inspection.subject import open_config, open_run
    from rnnkit.tasks.task import SCHEMAS

    # A run of that name would be a folder.
    path = Path(target or "")
    if path.suffix in (".yaml", ".yml") and not path.is_dir():
        return open_config(path)
    return open_run(choose_run(target, runs_dir=runs_dir, tasks=tuple(SCHEMAS)))


@command.command("summary")
@_subject_argument
@view_options
def summary(
    target: str | None,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """List the layers of a network: shapes, parameters, memory, arithmetic.

    `weights` is the memory of the parameters in float32, `state` what one sequence carries from
    step to step. Multiply-adds are those of the matrix products, for every token that is read or,
    after the pooling of a classifier, for every text.

    \b
    Example:
      rnnkit inspect summary
      rnnkit inspect summary configs/shakespeare.yaml --json
    """
    check_files(html_path=html_path, png_path=png_path)
    keep_numpy_to_one_thread()
    from rnnkit.inspection.summary import summary_view

    view = summary_view(_open(target, runs_dir=runs_dir))
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)


@command.command("forward")
@_subject_argument
@click.option("--text", required=True, metavar="TEXT", help="The text that the network reads.")
@click.option(
    "--units",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Show the first N numbers of every vector, of the output those of the N most probable "
    "tokens.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    metavar="N",
    help="Show the arithmetic of the first N tokens; the overview has all of them.",
)
@click.option(
    "--digits",
    type=click.IntRange(min=0, max=17),
    default=4,
    show_default=True,
    help="Digits behind the point.",
)
@view_options
def forward(
    target: str | None,
    text: str,
    units: int,
    steps: int,
    digits: int,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Show every number on the way from a text to a prediction.

    For each token: the input vector x, W x and U h, the sums that
    go into the activations, the gates, the new state h, the logits and their softmax, and what
    was predicted beside what comes next in the text. A classifier is followed through the words
    of a text to the probabilities of its classes.

    CONFIG is a configuration file: its network is shown before any training, with the weights
    that `model.initial_weights` gives, and random ones for the others.

    \b
    Example:
      rnnkit inspect forward configs/tutorials/forward_by_hand.yaml --text hell
      rnnkit inspect forward shakespeare --text "ROMEO" --units 4
      rnnkit inspect forward sentiment --text "what a lovely film" --html forward.html
    """
    check_files(html_path=html_path, png_path=png_path)
    keep_numpy_to_one_thread()
    from rnnkit.inspection.forward import forward_view

    subject = _open(target, runs_dir=runs_dir)
    view = forward_view(subject, text, units=units, steps=steps, digits=digits)
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)


@command.command("gradients")
@_subject_argument
@click.option("--text", metavar="TEXT", help="Look at this text.")
@click.option(
    "--file",
    "--data",
    "files",
    multiple=True,
    metavar="FILE",
    help="Read this text [default: the held-out text of the run]. Of a "
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
    help="Compare with another run or configuration; repeatable. `cells` are untrained "
    "networks of the same size with each of the cells.",
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
@view_options
def gradients(
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
    check_files(html_path=html_path, png_path=png_path)
    # The matrices of single steps are small: handing them from thread to thread takes longer.
    keep_numpy_to_one_thread()
    from rnnkit.inspection.gradient_study import networks_to_compare
    from rnnkit.inspection.gradients import gradients_view

    subject = _open(target, runs_dir=runs_dir)
    others = [_open(name, runs_dir=runs_dir) for name in compared if name != "cells"]
    subjects = networks_to_compare(
        subject, others, cells="cells" in compared, recurrent_scale=recurrent_scale
    )
    with progress_bar("going back") as progress:
        view = gradients_view(
            subjects,
            text=text,
            files=files,
            distance=distance,
            windows=windows,
            clip_norm=clip_norm,
            progress=progress,
        )
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)


command.add_command(states)
command.add_command(attributions)
