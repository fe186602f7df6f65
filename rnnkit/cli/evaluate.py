"""`rnnkit evaluate`: how well a trained model predicts a text."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import format_number, format_table, print_json
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.inference.bootstrap import Estimate


@click.command("evaluate")
@run_argument()
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "train"]),
    help="Part of the run's own text [default: the first of these that it has].",
)
@click.option(
    "--data",
    "files",
    multiple=True,
    metavar="FILE",
    help="Score this text instead. A file or glob pattern; repeatable.",
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "latin-1", "cp1252"]),
    help="Encoding of --data [default: that of the run's own text].",
)
@click.option(
    "--unseen",
    type=click.Choice(["error", "skip", "unk"]),
    help="What to do with characters of --data that the model has never seen: refuse them, leave "
    "them out, or score them as <unk> [default: unk if the vocabulary has it, else error].",
)
@runs_dir_option
@json_option
def command(
    run: str | None,
    split: Any,
    files: tuple[str, ...],
    encoding: str | None,
    unseen: Any,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Score a trained model on a text it has not seen.

    loss is in nats per token and perplexity its exponential; bits_per_character is comparable
    between models of characters and of bytes; accuracy is the share of tokens that were the
    most probable. The text is read as one stream with the hidden state carried along; window_64
    scores are for pieces of 64 tokens, each read without what stands before it. low and high
    are the ends of a 95 % bootstrap interval.

    \b
    Example:
      rnnkit evaluate
      rnnkit evaluate shakespeare --split train --json
      rnnkit evaluate --data another.txt --unseen skip
    """
    if files and split is not None:
        raise UsageError("--split is a part of the run's own text, --data another text; use one.")
    if unseen is not None and not files:
        raise UsageError("--unseen is for --data; the run's own text holds no unseen characters.")
    if encoding is not None and not files:
        raise UsageError("--encoding is for --data; the run knows that of its own text.")

    from rnnkit.config.load import load_config
    from rnnkit.inference.evaluate import evaluate
    from rnnkit.inference.evaluated_text import text_of_files, text_of_run
    from rnnkit.inference.session import TASKS, load_session
    from rnnkit.run import find_run, verify_files

    directory = find_run(run, runs_dir=runs_dir, tasks=TASKS)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    verify_files(directory, directory.config)
    config = load_config(directory.config)
    session = load_session(directory)
    if files:
        text = text_of_files(
            files,
            session.vocabulary,
            encoding=encoding or config.data.encoding,
            unseen=unseen,
        )
    else:
        text = text_of_run(directory, config, split=split)
    for note in text.notes:
        click.echo(note, err=True)
    with _progress() as progress:
        result = evaluate(
            session,
            text.ids,
            context_windows=config.evaluation.context_windows,
            stride=getattr(config.data.windows, "stride", 1),
            resamples=config.evaluation.bootstrap_samples,
            seed=config.seed,
            progress=progress,
        )
    for note in result.notes:
        click.echo(note, err=True)
    if as_json:
        print_json(
            {
                "run": str(directory.path),
                "split": text.split,
                "data": list(files) or None,
                "tokens": result.tokens,
                "metrics": {name: vars(score) for name, score in result.metrics.items()},
                "notes": [*text.notes, *result.notes],
            }
        )
        return
    subject = f"{text.split} text" if text.split else ", ".join(files)
    click.echo(f"{directory.path} on {subject}, {result.tokens:,} predictions\n")
    click.echo(_table(result.metrics))


def _table(metrics: "dict[str, Estimate]") -> str:
    rows = [
        (name, *(format_number(number, 4) for number in (score.value, score.low, score.high)))
        for name, score in metrics.items()
    ]
    return format_table(("metric", "value", "low", "high"), rows, left=("metric",))


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scoring")
        yield lambda done, total: bar.update(task, completed=done, total=total)
