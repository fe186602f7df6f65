"""How it is told what generated texts share with the training text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import printable, progress_bar

if TYPE_CHECKING:
    from rnnkit.inference.writing import Completion
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.language_model.novelty import Novelty, TrainingText

_SHOWN = 60
"""Characters of a copy that are shown."""


def read_training_text(run: "RunDirectory") -> "TrainingText":
    """The text that a run was trained on.

    Raises:
        DataError: it is missing or has changed.
        RunError: the run's configuration or summary is damaged.
    """
    from rnnkit.runs.directory import verify_files
    from rnnkit.tasks.language_model.novelty import training_text
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    verify_files(run, run.config)
    config = load_config(run.config)
    assert not isinstance(config, ClassificationConfig)  # its model would not have been opened
    return training_text(run, config)


def measure_all(completions: "Sequence[Completion]", known: "TrainingText") -> "list[Novelty]":
    """Compare every text with the training text.

    Raises:
        UsageError: a text is too long.
    """
    from rnnkit.tasks.language_model.novelty import measure

    measured = []
    with progress_bar("comparing") as progress:
        for number, completion in enumerate(completions):
            measured.append(
                measure(
                    completion.ids,
                    known,
                    progress=lambda done, total, number=number: progress(
                        number * total + done, len(completions) * total
                    ),
                )
            )
    return measured


def print_novelty(
    measured: "Sequence[Novelty]", titles: Sequence[str], known: "TrainingText"
) -> None:
    """Tell it on standard error, where it cannot be taken for generated text."""
    tokens = len(known.prepared.split("train"))
    click.echo(f"Compared with the training text of {tokens:,} tokens:", err=True)
    for title, novelty in zip(titles, measured, strict=True):
        start = f"{title}: " if title else ""
        click.echo(f"  {start}{_copy(novelty)}; {_new(novelty)}", err=True)


def describe_novelty(novelty: "Novelty") -> dict[str, Any]:
    """The same for a JSON document."""
    copy = novelty.longest_copy
    return {
        "longest_copy": copy and {"characters": len(copy.text), **vars(copy)},
        "new_ngrams": {str(size): share for size, share in novelty.new.items()},
    }


def _copy(novelty: "Novelty") -> str:
    copy = novelty.longest_copy
    if copy is None:
        return "nothing copied"
    shown = printable(copy.text.replace("\n", "⏎"))
    if len(shown) > _SHOWN:
        shown = f"{shown[: _SHOWN - 3]}..."
    place = f"{copy.file}:{copy.line}" if copy.file else "over the end of a file"
    return f'longest copy {len(copy.text):,} characters, "{shown}" ({place})'


def _new(novelty: "Novelty") -> str:
    shares = {size: share for size, share in novelty.new.items() if share is not None}
    if not shares:
        return "too short to count sequences"
    counted = ", ".join(f"{100 * share:.0f} % of {size}" for size, share in shares.items())
    return f"new among sequences of n tokens: {counted}"
