"""`rnnkit suggest`: the next word, or the rest of the last one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import keep_numpy_to_one_thread, print_json, printable
from rnnkit.cli.options import choose_run, complete_run, json_option, runs_dir_option
from rnnkit.cli.text_arguments import (
    check_encoding,
    run_and_texts,
    standard_input,
    stdin_pieces,
)
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.tasks.language_model.suggest import Suggestions


@click.command("suggest")
@click.argument("arguments", metavar="[RUN] [TEXT]...", nargs=-1, shell_complete=complete_run)
@click.option("--run", "run_option", metavar="RUN", help="The run; every argument is a text then.")
@click.option(
    "--count",
    type=click.IntRange(min=1, max=100),
    default=5,
    show_default=True,
    help="Words to suggest for each text.",
)
@click.option(
    "--next",
    "follow",
    is_flag=True,
    help="Suggest words that follow the text [default: unless its last word is unfinished].",
)
@click.option("--complete", is_flag=True, help="Complete the last word.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of standard input.")
@runs_dir_option
@json_option
def command(
    arguments: tuple[str, ...],
    run_option: str | None,
    count: int,
    follow: bool,
    complete: bool,
    encoding: str,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Suggest the next word of a text, or the rest of its last one.

    TEXT is one or more texts; without any, every line of standard input is one, answered as it
    comes, so that an editor can keep the command running. Each line of the answer is a probability,
    a tab, and a word: that the next word is this one, or that the last one is, given its beginning.

    The last word counts as unfinished where a model of words does not know it, and where one of
    characters or subwords expects more of it; a space after it finishes it. With several texts,
    each is shown before its words.

    \b
    Example:
      rnnkit suggest "the cat sat on the"
      rnnkit suggest shakespeare "my lor" --count 3
      rnnkit suggest --complete --json "the"
    """
    if follow and complete:
        raise UsageError("--next and --complete exclude each other; give one of them.")
    check_encoding(encoding)
    run, texts = run_and_texts(arguments, run_option, runs_dir)
    if not texts:
        standard_input()  # refused before the model is loaded when it is closed

    keep_numpy_to_one_thread()
    from rnnkit.tasks.language_model.model import TASKS, load_language_model
    from rnnkit.tasks.language_model.suggest import suggest

    directory = choose_run(run, runs_dir=runs_dir, tasks=TASKS)
    model = load_language_model(directory)
    way = "next" if follow else "complete" if complete else None
    documents = []
    for text in texts or _lines(encoding):
        found = suggest(model, text, count=count, way=way)
        if as_json:
            documents.append({"text": text, **_document(found)})
            continue
        if len(texts) != 1:
            click.echo(printable(text))
        for suggestion in found.words:
            click.echo(f"{suggestion.probability:.4f}\t{suggestion.word}")
        if not found.words:
            click.echo(f"The model knows no word that completes {text!r}.", err=True)
    if as_json:
        print_json({"run": str(directory.path), "texts": documents})


def _lines(encoding: str) -> Iterator[str]:
    for lines in stdin_pieces(encoding):
        yield from lines


def _document(found: "Suggestions") -> dict[str, Any]:
    words = [
        {"word": word.word, "text": word.text, "probability": word.probability}
        for word in found.words
    ]
    return {"way": found.way, "words": words}
