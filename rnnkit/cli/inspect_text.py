"""`rnnkit inspect states` and `rnnkit inspect attributions`: what happens while a text is read."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import emit, keep_numpy_to_one_thread, progress_bar
from rnnkit.cli.options import (
    choose_run,
    complete_run,
    run_argument,
)
from rnnkit.cli.page_files import check_files, view_options
from rnnkit.cli.text_arguments import is_typed, run_and_texts, stdin_pieces
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.inspection.attribution_study import Method
    from rnnkit.runs.directory import RunDirectory

_OWN_OPTIONS = {
    "pairs": ("--pairs", "shapley"),
    "random_seed": ("--random-seed", "shapley"),
    "points": ("--points", "integrated-gradients"),
}


@click.command("states")
@run_argument()
@click.option("--text", metavar="TEXT", help="The text to show.")
@click.option(
    "--file",
    "text_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Show the text in this UTF-8 file [default: a piece of the text that units are ranked "
    "on].",
)
@click.option(
    "--tokens",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Show so many tokens of the text at most.",
)
@click.option("--layer", type=int, help="From 0, counted from the input [default: the last one].")
@click.option(
    "--state",
    "kind",
    type=click.Choice(["hidden", "cell"]),
    help="The hidden state h, or the cell state of an LSTM as tanh(c) [default: cell for an LSTM].",
)
@click.option(
    "--unit",
    "units",
    type=int,
    multiple=True,
    metavar="N",
    help="Show this unit, from 0; may be given several times [default: the units that track "
    "something, or those that vary most].",
)
@click.option(
    "--most",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Show so many units where none is named.",
)
@click.option(
    "--rank/--no-rank",
    default=None,
    help="Language models: find the unit that follows each property of the text best [default: "
    "unless --unit is given].",
)
@click.option(
    "--rank-data",
    "rank_files",
    metavar="FILE",
    multiple=True,
    help="Rank on this UTF-8 text [default: the held-out text of the run].",
)
@click.option(
    "--rank-tokens",
    type=click.IntRange(min=1000),
    default=32768,
    show_default=True,
    help="Rank on the first N tokens.",
)
@view_options
def states(
    run: str | None,
    text: str | None,
    text_file: Path | None,
    tokens: int,
    layer: int | None,
    kind: Any,
    units: tuple[int, ...],
    most: int,
    rank: bool | None,
    rank_files: tuple[str, ...],
    rank_tokens: int,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Show what the units of a network do while it reads, and what they track.

    Every token has the activation of a unit behind it: orange above zero, blue below. In a language
    model each unit is compared with properties of the text, such as the position in the line,
    quotes and brackets (Karpathy, Johnson and Fei-Fei 2016). A unit is chosen for each on one half
    of the ranking text and scored on the other half, beside what it would reach by chance and what
    the last token alone tells: a score beyond the latter takes memory.

    A model of sliding windows is shown as it predicts: at each token, the state after the window
    that ends there. Of a classifier, the states are shown over its words.

    \b
    Example:
      rnnkit inspect states
      rnnkit inspect states shakespeare --text "ROMEO: Is the day so young?"
      rnnkit inspect states --layer 0 --unit 22 --unit 101 --file scene.txt --html states.html
    """
    if text is not None and text_file is not None:
        raise UsageError("--text and --file both give the text to show; use one.")
    ranks = rank if rank is not None else not units
    if not ranks and rank_files:
        raise UsageError("--rank-data is about a ranking; there is none without --rank.")
    check_files(html_path=html_path, png_path=png_path)

    from rnnkit.inspection.state_study import RankingText, StateChoice
    from rnnkit.inspection.states import states_view
    from rnnkit.inspection.subject import read_text
    from rnnkit.tasks.language_model import model
    from rnnkit.tasks.text_classification import classifier

    directory = choose_run(run, runs_dir=runs_dir, tasks=(*model.TASKS, *classifier.TASKS))
    if text_file is not None:
        text = read_text(text_file)
    # What was asked for must be there; what is done by itself may be left out.
    is_required = bool(rank or rank_files)
    with progress_bar("ranking") as progress:
        view = states_view(
            directory,
            text,
            choice=StateChoice(layer, kind, units, most_units=most, most_tokens=tokens),
            ranking_text=RankingText(rank_files, rank_tokens, is_required) if ranks else None,
            progress=progress,
        )
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)


@click.command("attributions")
@click.argument("arguments", metavar="[RUN] [TEXT]...", nargs=-1, shell_complete=complete_run)
@click.option("--run", "run_option", metavar="RUN", help="The run; every argument is a text then.")
@click.option(
    "--method",
    "method_name",
    type=click.Choice(["shapley", "leave-one-out", "integrated-gradients"]),
    default="shapley",
    show_default=True,
    help="How the probability is attributed to the tokens.",
)
@click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="Explain the probability of this class [default: the one decided for].",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=2),
    metavar="N",
    help="Shapley values of texts of more than 10 tokens: pairs of random orders, each read once "
    "for every token [default: 32].",
)
@click.option(
    "--random-seed", type=click.IntRange(min=0), help="Of the random orders [default: 0]."
)
@click.option(
    "--points",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Integrated gradients: points of the path at which the gradient is taken [default: 32].",
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of standard input.")
@view_options
def attributions(
    arguments: tuple[str, ...],
    run_option: str | None,
    method_name: str,
    class_name: str | None,
    pairs: int | None,
    random_seed: int | None,
    points: int | None,
    encoding: str,
    html_path: Path | None,
    png_path: Path | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Show which words of a text made the decision, and how it formed.

    Texts are arguments or the lines of standard input. The first argument is RUN if there is a run
    of that name. For every token, the answer has what it adds to the probability of the class, and
    the probability of the text cut after it.

    shapley: what a token adds on average over all orders in which the tokens could be put in. The
    values add up to the difference between the text and an empty one; those of more than 10 tokens
    are estimates with a standard error. leave-one-out: what is missing without the token; quick,
    but tokens that say the same cover for each other. integrated-gradients: what the token's
    vector adds while all vectors grow from zero (Sundararajan, Taly and Yan 2017).

    \b
    Example:
      rnnkit inspect attributions "not a bad film at all"
      rnnkit inspect attributions --method leave-one-out --class negative "dull, but well played"
      rnnkit inspect attributions sentiment "a fine film" --html attributions.html
    """
    run, texts = run_and_texts(arguments, run_option, runs_dir)
    given = {"pairs": pairs, "random_seed": random_seed, "points": points}
    for name, (option, its_method) in _OWN_OPTIONS.items():
        if given[name] is not None and method_name != its_method:
            raise UsageError(f"{option} is for --method {its_method}; this is {method_name}.")
    if not texts and is_typed():
        raise UsageError(
            "Nothing to explain: give texts as arguments, or lines on standard input "
            "(- reads them from the terminal)."
        )
    check_files(html_path=html_path, png_path=png_path)
    if not texts or texts == ["-"]:
        texts = [line for piece in stdin_pieces(encoding) for line in piece]
    if png_path is not None and len(texts) != 1:
        raise UsageError(f"--png is a picture of one text; there are {len(texts)}. Use --html.")

    keep_numpy_to_one_thread()
    from rnnkit.inspection.attributions import attributions_view
    from rnnkit.tasks.task import config_of_run
    from rnnkit.tasks.text_classification.classifier import TASKS, load_classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    directory = choose_run(run, runs_dir=runs_dir, tasks=TASKS)
    classifier = load_classifier(directory)
    config = config_of_run(directory, ClassificationConfig)
    with progress_bar("reading") as progress:
        view = attributions_view(
            classifier,
            texts,
            run=str(directory.path),
            method=_method(method_name, directory, pairs=pairs, seed=random_seed, points=points),
            class_name=class_name,
            is_bidirectional=config.model.bidirectional,
            progress=progress,
        )
    emit(view, as_json=as_json, html_path=html_path, png_path=png_path)


def _method(
    name: str,
    directory: "RunDirectory",
    *,
    pairs: int | None,
    seed: int | None,
    points: int | None,
) -> "Method":
    from rnnkit.inspection.attribution_study import IntegratedGradients, LeaveOneOut, Shapley
    from rnnkit.inspection.subject import ClassifierSubject, open_run

    match name:
        case "shapley":
            return Shapley(pairs or Shapley.pairs, seed or Shapley.seed)
        case "leave-one-out":
            return LeaveOneOut()
        case _:
            subject = open_run(directory)
            assert isinstance(subject, ClassifierSubject)
            return IntegratedGradients(subject.network, points or IntegratedGradients.points)
