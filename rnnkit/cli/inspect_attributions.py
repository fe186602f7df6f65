"""`rnnkit inspect attributions`: which words of a text made the decision of a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import (
    format_table,
    keep_numpy_to_one_thread,
    print_json,
    printable,
    progress_bar,
)
from rnnkit.cli.coloured_text import has_colour
from rnnkit.cli.options import complete_run, json_option, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option, write_files
from rnnkit.cli.text_arguments import is_typed, run_and_texts, stdin_pieces
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.inspection.attributions import Attributions, Method
    from rnnkit.runs.directory import RunDirectory

_OWN_OPTIONS = {
    "pairs": ("--pairs", "shapley"),
    "random_seed": ("--random-seed", "shapley"),
    "points": ("--points", "integrated-gradients"),
}


@click.command("attributions")
@click.argument("arguments", metavar="[RUN] [TEXT]...", nargs=-1, shell_complete=complete_run)
@click.option("--run", "run_option", metavar="RUN", help="The run; every argument is a text then.")
@click.option(
    "--method",
    "method_name",
    type=click.Choice(["shapley", "leave-one-out", "integrated-gradients"]),
    default="shapley",
    show_default=True,
    help="How the probability is shared out among the tokens.",
)
@click.option(
    "--class",
    "class_name",
    metavar="NAME",
    help="Share out the probability of this class [default: the one decided for].",
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
@html_option
@png_option
@runs_dir_option
@json_option
def command(
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
    of that name. Every token gets what it adds to the probability of the class, and beside it
    stands the probability of the text cut after the token.

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
    from rnnkit.inspection.attributions import attribute, class_index
    from rnnkit.runs.directory import find_run, verify_files
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.classifier import TASKS, load_classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    directory = find_run(run, runs_dir=runs_dir, tasks=TASKS)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    classifier = load_classifier(directory)
    verify_files(directory, directory.config)
    config = load_config(directory.config)
    assert isinstance(config, ClassificationConfig)
    explained = class_index(classifier, class_name)
    method = _method(method_name, directory, pairs=pairs, seed=random_seed, points=points)
    found = []
    for number, text in enumerate(texts, start=1):
        which = f"text {number} of {len(texts)}" if len(texts) > 1 else "reading"
        with progress_bar(which) as progress:
            one = attribute(
                classifier,
                text,
                method=method,
                explained=explained,
                progress=progress,
            )
        found.append(one)
        if not as_json:
            _print(one, classifier.classes, alone=len(texts) == 1)
    if as_json:
        print_json(
            _document(found, classifier.classes, run=str(directory.path), method=method_name)
        )

    from rnnkit.inspection.page_attributions import attributions_page, attributions_picture

    write_files(
        html_path=html_path,
        png_path=png_path,
        page=lambda: attributions_page(
            found,
            classifier.classes,
            method=method,
            is_bidirectional=config.model.bidirectional,
            run=directory.name,
        ),
        picture=lambda: attributions_picture(found[0], classifier.classes),
    )


def _method(
    name: str,
    directory: "RunDirectory",
    *,
    pairs: int | None,
    seed: int | None,
    points: int | None,
) -> "Method":
    from rnnkit.inspection.attributions import IntegratedGradients, LeaveOneOut, Shapley
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


def _print(one: "Attributions", classes: Sequence[str], *, alone: bool) -> None:
    from rnnkit.tasks.text_classification.predict import prediction_line

    text = None if alone else one.text
    click.echo(prediction_line(classes, one.label, one.probabilities, text=text))
    if not one.tokens:
        click.echo("  (no token to explain)")
        return
    from rnnkit.inspection.page_attributions import sum_line
    from rnnkit.views.terminal import legend, text_lines
    from rnnkit.views.words import signed

    name = classes[one.explained]
    if has_colour():
        largest = one.largest
        pieces = [part for token in one.tokens for part in (token.token, " ")][:-1]
        values = [part for token in one.tokens for part in (token.change, 0.0)][:-1]
        for line in text_lines(pieces, values, largest=largest, with_colour=True):
            click.echo(f"  {line}")
        scale = legend(largest, with_colour=True, digits=3)
        click.echo(f"  {scale}  orange speaks for {name}, blue against it")
    rows = [
        (
            printable(token.token),
            signed(token.change),
            *((f"{token.error:.4f}",) if one.is_sampled else ()),
            f"{after:.3f}",
            "" if token.is_known else "unknown to the model",
        )
        for token, after in zip(one.tokens, one.course[:, one.explained].tolist(), strict=True)
    ]
    header = (
        "token",
        f"adds to {name}",
        *(("standard error",) if one.is_sampled else ()),
        "cut after it",
        "",
    )
    table = format_table(header, rows, left=("token", ""))
    click.echo("\n".join(f"  {line}" for line in table.split("\n")))
    click.echo(f"  {sum_line(one, name)}")


def _document(
    found: "Sequence[Attributions]", classes: Sequence[str], *, run: str, method: str
) -> dict[str, Any]:
    return {
        "run": run,
        "classes": list(classes),
        "method": method,
        "texts": [
            {
                "text": one.text,
                "label": classes[one.label],
                "explained": classes[one.explained],
                "probabilities": dict(zip(classes, one.probabilities.tolist(), strict=True)),
                "empty_probabilities": dict(zip(classes, one.empty.tolist(), strict=True)),
                "baseline": one.baseline,
                "sampled": one.is_sampled,
                "tokens": [
                    {
                        "token": token.token,
                        "change": token.change,
                        "standard_error": token.error if one.is_sampled else None,
                        "known": token.is_known,
                        "probabilities_after": dict(zip(classes, after, strict=True)),
                    }
                    for token, after in zip(one.tokens, one.course.tolist(), strict=True)
                ],
            }
            for one in found
        ],
    }
