"""`rnnkit inspect forward`: a text through a network, step by step."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_table, keep_numpy_to_one_thread, print_json
from rnnkit.cli.inspected import open_subject, subject_argument
from rnnkit.cli.options import json_option, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option, write_files

if TYPE_CHECKING:
    from rnnkit.inspection.forward import Block, Forward, Prediction


@click.command("forward")
@subject_argument()
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
@html_option
@png_option
@runs_dir_option
@json_option
def command(
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

    For each token: the input vector x, the products W x and U h with the matrices, the sums that
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
    from rnnkit.inspection.forward import Extent, forward

    subject = open_subject(target, runs_dir=runs_dir)
    found = forward(subject, text, Extent(units, steps))
    for note in found.notes:
        click.echo(note, err=True)
    if as_json:
        head = {"subject": subject.name, "weights_are": subject.origin, "text": text}
        print_json({**head, **_document(found)})
    else:
        click.echo(f"{subject.name} ({subject.origin})")
        _print(found, digits)

    def page() -> str:
        from rnnkit.inspection.page_forward import forward_page

        return forward_page(
            found, name=subject.name, origin=subject.origin, text=text, digits=digits
        )

    def picture() -> bytes:
        from rnnkit.inspection.page_forward import forward_picture

        return forward_picture(found)

    write_files(html_path=html_path, png_path=png_path, page=page, picture=picture)


def _print(found: "Forward", digits: int) -> None:
    for step in found.steps:
        if not step.blocks:
            continue
        click.echo(f"\nStep {step.number}: reads {step.token}")
        for block in step.blocks:
            _print_block(block, digits)
        if step.prediction is not None:
            click.echo(f"\n  {_sentence(step.prediction, digits)}")
    if found.after:
        click.echo("\nAfter the last token")
        for block in found.after:
            _print_block(block, digits)
    click.echo(f"\n{_heading(found)}")
    click.echo(_overview(found, digits))


def _print_block(block: "Block", digits: int) -> None:
    more = f" (and {block.hidden:,} more: --units)" if block.hidden else ""
    click.echo(f"\n  {block.title}{more}")
    rows = [(line.name, *(f"{value:.{digits}f}" for value in line.values)) for line in block.lines]
    table = format_table(("", *block.columns), rows, left=("",))
    click.echo("\n".join(f"    {line}" for line in table.splitlines()))


def _sentence(prediction: "Prediction", digits: int) -> str:
    said = f"predicts {prediction.predicted} ({prediction.predicted_probability:.{digits}f})"
    if prediction.actual is None or prediction.probability is None:
        return f"{said}; the text ends here"
    verdict = "right" if prediction.predicted == prediction.actual else "wrong"
    return (
        f"{said}; next is {prediction.actual} ({prediction.probability:.{digits}f}): {verdict}, "
        f"loss {prediction.loss:.{digits}f} nats"
    )


def _heading(found: "Forward") -> str:
    hidden = sum(1 for step in found.steps if not step.blocks)
    more = f"; the arithmetic of {hidden} more steps is not shown (--steps)" if hidden else ""
    return f"Overview{more}"


def _overview(found: "Forward", digits: int) -> str:
    if found.probabilities:
        rows = [(name, f"{share:.{digits}f}") for name, share in found.probabilities]
        return format_table(("class", "probability"), rows, left=("class",))
    table: list[Sequence[str]] = []
    for step in found.steps:
        one = step.prediction
        assert one is not None
        table.append(
            (
                str(step.number),
                step.token,
                one.predicted,
                f"{one.predicted_probability:.{digits}f}",
                one.actual or "-",
                "-" if one.probability is None else f"{one.probability:.{digits}f}",
                "-" if one.loss is None else f"{one.loss:.{digits}f}",
            )
        )
    header = ("step", "reads", "predicts", "p", "next", "p(next)", "loss")
    return format_table(header, table, left=("reads", "predicts", "next"))


def _document(found: "Forward") -> dict[str, Any]:
    return {
        "steps": [
            {
                "step": step.number,
                "token": step.token,
                "prediction": None if step.prediction is None else vars(step.prediction),
                "blocks": [_block(block) for block in step.blocks],
            }
            for step in found.steps
        ],
        "after": [_block(block) for block in found.after],
        "probabilities": dict(found.probabilities) or None,
        "notes": list(found.notes),
    }


def _block(block: "Block") -> dict[str, Any]:
    return {
        "title": block.title,
        "columns": list(block.columns),
        "hidden": block.hidden,
        "lines": [{"name": line.name, "values": line.values.tolist()} for line in block.lines],
    }
