"""`rnnkit inspect states`: what the units of a network do over a text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_table, print_json, progress_bar
from rnnkit.cli.coloured_text import has_colour
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.cli.page_files import check_files, html_option, png_option, write_files
from rnnkit.errors import DataError, UsageError

if TYPE_CHECKING:
    from rnnkit.inspection.state_view import ShownUnit, StateView
    from rnnkit.inspection.tracking import Ranking, Tracked


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
    help="Rank on this UTF-8 text [default: the validation part of the run].",
)
@click.option(
    "--rank-tokens",
    type=click.IntRange(min=1000),
    default=32768,
    show_default=True,
    help="Rank on the first N tokens.",
)
@html_option
@png_option
@runs_dir_option
@json_option
def command(
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

    from rnnkit.inspection.run_states import (
        RankingText,
        StateChoice,
        classifier_run_states,
        language_run_states,
    )
    from rnnkit.runs.directory import find_run, verify_files
    from rnnkit.tasks.language_model import session
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification import classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    directory = find_run(run, runs_dir=runs_dir, tasks=(*session.TASKS, *classifier.TASKS))
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    verify_files(directory, directory.config)
    config = load_config(directory.config)
    if text_file is not None:
        text = _read(text_file)
    choice = StateChoice(layer, kind, units, most_units=most, most_tokens=tokens)
    if isinstance(config, ClassificationConfig):
        if rank or rank_files:
            raise UsageError("A ranking is for language models; this run is a classifier.")
        if text is None:
            raise UsageError("Nothing to show: give a text with --text or --file.")
        view = classifier_run_states(directory, text, choice=choice)
    else:
        # What was asked for must be there; what is done by itself may be left out.
        is_required = bool(rank or rank_files)
        ranking_text = RankingText(rank_files, rank_tokens, is_required=is_required)
        with progress_bar("ranking") as progress:
            view = language_run_states(
                directory,
                config,
                text,
                choice=choice,
                ranking_text=ranking_text if ranks else None,
                progress=progress,
            )
    for note in view.notes:
        click.echo(note, err=True)
    from rnnkit.inspection.page_states import states_page, states_picture

    # First, so that they are whole even if the reader of the answer stops early.
    write_files(
        html_path=html_path,
        png_path=png_path,
        page=lambda: states_page(view, run=directory.name),
        picture=lambda: states_picture(view),
    )
    if as_json:
        print_json(_document(view, str(directory.path)))
    else:
        _print(view)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"--file {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"--file {path}: byte {error.start} is not UTF-8; convert the file to UTF-8"
        ) from error


# -------------------------------------------------------------------------------------- answers


def _print(view: "StateView") -> None:
    from rnnkit.views.terminal import legend, text_lines

    with_colour = has_colour()
    shown = "cell state, tanh(c)" if view.kind == "cell" else "hidden state"
    click.echo(f"Layer {view.layer}: {view.width} units, {view.cell}, {shown}")
    if view.ranking is not None:
        click.echo()
        _print_ranking(view.ranking, view.ranked_on)
    for unit in view.units:
        click.echo()
        click.echo(_title(view, unit))
        pieces, values = _spaced(view.pieces, unit.values.tolist(), spaced=view.spaced)
        for line in text_lines(pieces, values, largest=unit.largest, with_colour=with_colour):
            click.echo(f"  {line}")
        click.echo(f"  {legend(unit.largest, with_colour=with_colour)}")


def _spaced(
    pieces: Sequence[str], values: Sequence[float], *, spaced: bool
) -> tuple[list[str], list[float]]:
    """Pieces and their values, with blanks of value 0 between them where they are words."""
    if not spaced:
        return list(pieces), list(values)
    return (
        [part for piece in pieces for part in (piece, " ")][:-1],
        [part for value in values for part in (value, 0.0)][:-1],
    )


def _title(view: "StateView", unit: "ShownUnit") -> str:
    direction = view.direction(unit.unit)
    reads = f", reads {direction}" if direction else ""
    tracks = f": {', '.join(one.name for one in unit.tracks)}" if unit.tracks else ""
    return f"Unit {unit.unit}{reads}{tracks}"


def _print_ranking(ranking: "Ranking", ranked_on: str) -> None:
    click.echo(f"What units track, on {ranking.tokens:,} tokens of {ranked_on}:")
    rows = [
        (
            one.name,
            str(one.unit),
            f"{one.correlation:+.2f}",
            f"{one.chance:.2f}",
            f"{one.token_alone:.2f}",
            "-" if one.auc is None else f"{one.auc:.3f}",
            "" if one.is_found else "not beyond chance",
        )
        for one in ranking.tracked
    ]
    header = ("property", "unit", "r", "by chance", "token alone", "AUC", "")
    click.echo(format_table(header, rows, left=("property", "")))
    if ranking.missing:
        click.echo(f"Not in this text: {', '.join(ranking.missing)}.")
    click.echo(
        "Chosen on one half of the text, scored on the other. r: correlation; by chance: |r| of "
        "the\nsame unit in 99 of 100 shifts of the text; token alone: r of the best guess from "
        "the last token."
    )


def _document(view: "StateView", run: str) -> dict[str, Any]:
    return {
        "run": run,
        "cell": view.cell,
        "layer": view.layer,
        "units": view.width,
        "state": view.kind,
        "tokens": list(view.labels),
        "shown": [
            {
                "unit": unit.unit,
                "direction": view.direction(unit.unit) or None,
                "tracks": [one.name for one in unit.tracks],
                "activations": [float(value) for value in unit.values],
            }
            for unit in view.units
        ],
        "ranking": None if view.ranking is None else _ranking(view.ranking, view.ranked_on),
        "notes": list(view.notes),
    }


def _ranking(ranking: "Ranking", ranked_on: str) -> dict[str, Any]:
    return {
        "text": ranked_on,
        "tokens": ranking.tokens,
        "properties": [_tracked(one) for one in ranking.tracked],
        "missing": list(ranking.missing),
    }


def _tracked(one: "Tracked") -> dict[str, Any]:
    return {
        "property": one.name,
        "unit": one.unit,
        "correlation": one.correlation,
        "chance": one.chance,
        "token_alone": one.token_alone,
        "auc": one.auc,
        "found": one.is_found,
        "others": [{"unit": unit, "correlation": r} for unit, r in one.others],
    }
