"""`rnnkit predict`: the classes of texts."""

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnkit.cli.answer import (
    has_colour,
    keep_numpy_to_one_thread,
    print_json,
    printable,
    progress_bar,
)
from rnnkit.cli.options import FiniteRange, complete_run, json_option, runs_dir_option
from rnnkit.cli.text_arguments import check_encoding, is_typed, run_and_texts, stdin_pieces
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.tasks.text_classification.classifier import Classifier
    from rnnkit.tasks.text_classification.predict import Tally


@click.command("predict")
@click.argument("arguments", metavar="[RUN] [TEXT]...", nargs=-1, shell_complete=complete_run)
@click.option("--run", "run_option", metavar="RUN", help="The run; every argument is a text then.")
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Predict the rows of this table: .csv, .tsv, .jsonl, .parquet, or .txt with one text a "
    "line; each but .parquet may be packed (.gz, .zip).",
)
@click.option(
    "--column",
    metavar="NAME",
    help="Column of --input that holds the texts: its name, or its number from 0 "
    "[default: `text`, that of the run's own data, or the only one].",
)
@click.option("--no-header", is_flag=True, help="--input has none.")
@click.option("--separator", metavar="CHARACTER", help="Of --input [default: by the file's name].")
@click.option("--encoding", default="utf-8", show_default=True, help="Of --input and of stdin.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a table here (.csv, .tsv or .jsonl, also .gz) with all columns of the input, "
    "label, and probability_CLASS for each class.",
)
@click.option("--force", is_flag=True, help="Replace an existing --output.")
@click.option(
    "--threshold",
    type=FiniteRange(0.0, 1.0),
    help="Least probability of the positive class at which it is chosen (two classes) "
    "[default: what `rnnkit evaluate --threshold` stored, else the most probable class].",
)
@click.option("--probabilities", is_flag=True, help="Show the probability of every class.")
@click.option(
    "--explain",
    is_flag=True,
    help="Show what each token of the text adds to the probability of the predicted class: that "
    "of the text minus that of the text without the token.",
)
@runs_dir_option
@json_option
def command(
    arguments: tuple[str, ...],
    run_option: str | None,
    source: Path | None,
    column: str | None,
    no_header: bool,
    separator: str | None,
    encoding: str,
    output: Path | None,
    force: bool,
    threshold: float | None,
    probabilities: bool,
    explain: bool,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Say to which class texts belong.

    Texts are arguments, the rows of --input, or the lines of standard input. The first argument
    is RUN if there is a run of that name. Words that the model has never seen are no error; a
    text without any word gets a prediction too and is counted on standard error. --input is read
    in pieces, so that it may be larger than memory; its rows keep their order and every cell its
    text.

    \b
    Example:
      rnnkit predict "what a lovely film"
      rnnkit predict --input tweets.csv --column text --output labelled.csv
      zcat reviews.txt.gz | rnnkit predict reviews > labels.txt
      rnnkit predict --explain "not bad at all"
    """
    run, texts = run_and_texts(arguments, run_option, runs_dir)
    separator = separator and separator.replace("\\t", "\t")
    table_options = [
        name
        for name, value in (
            ("--column", column),
            ("--no-header", no_header or None),
            ("--separator", separator),
        )
        if value is not None
    ]
    _check_options(
        texts, source, output, table_options, force=force, explain=explain, as_json=as_json
    )
    if separator is not None and len(separator) != 1:
        raise UsageError(f"--separator {separator!r}: expected one character, or \\t.")
    reads_stdin = source is None and (not texts or texts == ["-"])
    if reads_stdin and not texts and is_typed():
        raise UsageError(
            "Nothing to predict: give texts as arguments, a table with --input, or lines on "
            "standard input (- reads them from the terminal)."
        )
    check_encoding(encoding)
    if output is not None:
        from rnnkit.tables.write import check_output

        check_output(output, source=source, force=force)

    keep_numpy_to_one_thread()
    from rnnkit.runs.directory import find_run
    from rnnkit.tasks.text_classification.classifier import TASKS, load_classifier, with_threshold

    directory = find_run(run, runs_dir=runs_dir, tasks=TASKS)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    classifier = load_classifier(directory)
    if threshold is not None:
        classifier = with_threshold(classifier, threshold)

    pieces = stdin_pieces(encoding) if reads_stdin else iter([texts])
    started = time.monotonic()
    if source is not None:
        from rnnkit.tables.read import TableOptions
        from rnnkit.tasks.text_classification.predict_table import own_data, predict_file

        with progress_bar("predicting") as progress:
            tally = predict_file(
                classifier,
                source,
                output,
                own=own_data(directory),
                options=TableOptions(encoding, not no_header, separator),
                column=column,
                note=lambda line: click.echo(printable(line), err=True),
                progress=progress,
            )
        _tell_written(tally, output, time.monotonic() - started)
    elif output is not None:
        from rnnkit.tasks.text_classification.predict_table import predict_texts

        tally = predict_texts(classifier, pieces, output)
        _tell_written(tally, output, time.monotonic() - started)
    elif as_json:
        from rnnkit.tasks.text_classification.predict import prediction_document

        texts = [text for piece in pieces for text in piece]
        run_path = str(directory.path)
        print_json(prediction_document(classifier, texts, run=run_path, explained=explain))
    else:
        alone = not reads_stdin and len(texts) == 1
        _show(classifier, pieces, alone=alone, every=probabilities, explained=explain)


def _check_options(
    texts: Sequence[str],
    source: Path | None,
    output: Path | None,
    table_options: Sequence[str],
    *,
    force: bool,
    explain: bool,
    as_json: bool,
) -> None:
    """Refuse options that would have no effect here."""
    if source is None and table_options:
        raise UsageError(f"{table_options[0]} is about the table of --input; there is none.")
    if source is not None and texts:
        raise UsageError(
            f"{texts[0]!r} is a text (no run has this name), but the texts come from --input; "
            "use one of the two."
        )
    if source is not None and explain:
        raise UsageError("--explain is for texts given as arguments or lines, not for --input.")
    if source is not None and as_json:
        raise UsageError("--json would be one document of all rows; use --output FILE.jsonl.")
    if output is None and force:
        raise UsageError("--force is about an --output that exists already; there is none.")
    if output is not None and (explain or as_json):
        raise UsageError("--output writes a table; --explain and --json print to the screen.")


# -------------------------------------------------------------------------------- texts and lines


def _show(
    classifier: "Classifier",
    pieces: Iterator[list[str]],
    *,
    alone: bool,
    every: bool,
    explained: bool,
) -> None:
    from rnnkit.tasks.text_classification.predict import Tally, predict, prediction_line

    tally = Tally()
    for texts in pieces:
        predictions = predict(classifier, texts)
        tally.add(predictions, classifier.classes)
        for text, label, values in zip(
            texts, predictions.labels.tolist(), predictions.probabilities, strict=True
        ):
            shown = None if alone else text
            click.echo(prediction_line(classifier.classes, label, values, text=shown, every=every))
            if explained:
                _explain(classifier, text, label)
        sys.stdout.flush()
    if explained:
        from rnnkit.tasks.text_classification.explain import EXPLANATION_NOTE

        click.echo(EXPLANATION_NOTE, err=True)
    _tell_left_out(tally)


def _explain(classifier: "Classifier", text: str, label: int) -> None:
    from rnnkit.tasks.text_classification.explain import explain, show_effects
    from rnnkit.views.terminal import render_section

    section = show_effects(explain(classifier, text, label=label), classifier.classes[label])
    click.echo(render_section(section, colour=has_colour()))


def _tell_written(tally: "Tally", output: Path | None, seconds: float) -> None:
    if output is not None:
        from rnnkit.views.formats import count

        counts = ", ".join(f"{rows:,} {printable(name)}" for name, rows in tally.counts.items())
        rate = tally.rows / max(seconds, 1e-3)
        told = f"{count(tally.rows, 'row')} in {seconds:.1f} s ({rate:,.0f} a second)"
        click.echo(f"{told}: {counts or 'none'}", err=True)
    _tell_left_out(tally)
    if output is not None:
        click.echo(str(output))


def _tell_left_out(tally: "Tally") -> None:
    """Say what was predicted without a word, and which rows were left out."""
    if tally.empty:
        was = "text has no word" if tally.empty == 1 else "texts have no words"
        click.echo(f"{tally.empty:,} {was} in it: predicted as one unknown word.", err=True)
    if tally.dropped:
        from rnnkit.tables.labelled import FAULTS

        kinds = ", ".join(f"{number:,} {FAULTS[kind]}" for kind, number in tally.dropped.items())
        click.echo(
            f"Rows left out, as in training (data.bad_rows: drop): {kinds} "
            f"(first: {tally.first_dropped}).",
            err=True,
        )
