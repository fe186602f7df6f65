"""`rnnkit evaluate`: how well a trained model does on texts it has not seen."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.answer import print_json, progress_bar
from rnnkit.cli.options import json_option, run_argument, runs_dir_option
from rnnkit.cli.scored_classes import ClassOptions, estimates_table, evaluate_classes
from rnnkit.errors import UsageError

if TYPE_CHECKING:
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.language_model.config import LanguageConfig


@click.command("evaluate")
@run_argument()
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "train"]),
    help="Part of the run's own text [default: the first of these that it has; of a classifier "
    "test before validation].",
)
@click.option(
    "--data",
    "files",
    multiple=True,
    metavar="FILE",
    help="Score this text instead, for a classifier labelled texts in the layout of its own. A "
    "file or glob pattern; repeatable.",
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "latin-1", "cp1252"]),
    help="Encoding of --data [default: that of the run's own text].",
)
@click.option(
    "--unseen",
    type=click.Choice(["error", "skip", "unk"]),
    help="What to do with characters or words of --data that the model has never seen: refuse "
    "them, leave them out, or score them as <unk> [default: unk if the vocabulary has it, else "
    "error].",
)
@click.option(
    "--threshold",
    metavar="GOAL",
    help="Classifiers of two classes: choose on the validation split from which probability on "
    "the positive class is taken, for the best F1 (f1) or a wanted precision (precision=0.9), and "
    "store it in the run.",
)
@click.option(
    "--positive",
    metavar="CLASS",
    help="The class that --threshold is about [default: the second one].",
)
@click.option(
    "--calibrate",
    is_flag=True,
    help="Classifiers: fit a temperature on the validation split that makes the probabilities "
    "honest (Guo et al. 2017), and store it in the run.",
)
@click.option(
    "--reset-decision",
    is_flag=True,
    help="Classifiers: forget the stored threshold and temperature first.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help="Classifiers: show the N most mistaken texts with file and row.",
)
@click.option(
    "--compare",
    metavar="RUN2",
    help="Classifiers: score RUN2 on the same texts and test whether the difference is luck "
    "(McNemar's test, paired bootstrap).",
)
@runs_dir_option
@json_option
def command(
    run: str | None,
    split: Any,
    files: tuple[str, ...],
    encoding: str | None,
    unseen: Any,
    threshold: str | None,
    positive: str | None,
    calibrate: bool,
    reset_decision: bool,
    worst: int | None,
    compare: str | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Score a trained model on a text it has not seen.

    A language model: loss is in nats per token and perplexity its exponential;
    bits_per_character is comparable between models of characters, bytes, subwords and words, as
    perplexity_per_word is between the last two (<unk> is one character and one word); accuracy is
    the share of tokens that were the most probable. The text is read as one stream with the hidden
    state carried along; window_64 scores are for pieces of 64 tokens, each read without what
    stands before it.

    A classifier: loss (nats), accuracy and the usual scores of all classes together (macro: their
    plain mean) and of each, areas under the ROC and the precision-recall curve, Brier score and
    expected calibration error (ece), and the confusion matrix. What --threshold and --calibrate
    store is used by `predict` and by later evaluations.

    low and high are the ends of a 95 % bootstrap interval.

    \b
    Example:
      rnnkit evaluate
      rnnkit evaluate shakespeare --split train --json
      rnnkit evaluate --data another.txt --unseen skip
      rnnkit evaluate sentiment --calibrate --threshold f1 --worst 10
      rnnkit evaluate sentiment --compare another-run
    """
    if files and split is not None:
        raise UsageError("--split is a part of the run's own text, --data another text; use one.")
    if unseen is not None and not files:
        raise UsageError("--unseen is for --data; the run's own text is read as in training.")
    if encoding is not None and not files:
        raise UsageError("--encoding is for --data; the run knows that of its own text.")
    options = ClassOptions(
        goal=threshold,
        positive=positive,
        calibrate=calibrate,
        reset_decision=reset_decision,
        worst=worst,
        compare=compare,
    )
    if unseen is not None and options.used:
        raise UsageError(f"--unseen is for language models, {options.used[0]} for classifiers.")

    from rnnkit.runs.directory import find_run, verify_files
    from rnnkit.tasks.language_model import model
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification import classifier
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    tasks = () if options.used else model.TASKS
    tasks += () if unseen is not None else classifier.TASKS
    directory = find_run(run, runs_dir=runs_dir, tasks=tasks)
    if run is None:
        click.echo(f"Using the newest run, {directory.path}", err=True)
    verify_files(directory, directory.config)
    config = load_config(directory.config)
    if isinstance(config, ClassificationConfig):
        if unseen is not None:
            raise UsageError(
                f"--unseen is for language models, and {directory.path} is a classifier: words "
                "that it does not know are read as <unk>."
            )
        if encoding is not None:
            data = config.data.model_copy(update={"encoding": encoding})
            config = config.model_copy(update={"data": data})
        evaluate_classes(
            directory, config, options, split=split, files=files, runs_dir=runs_dir, as_json=as_json
        )
        return
    if options.used:
        raise UsageError(
            f"{options.used[0]} is for classifiers, and {directory.path} is a run of task "
            f"{config.task}."
        )
    _evaluate_language(
        directory,
        config,
        split=split,
        files=files,
        encoding=encoding,
        unseen=unseen,
        as_json=as_json,
    )


def _evaluate_language(
    directory: "RunDirectory",
    config: "LanguageConfig",
    *,
    split: Any,
    files: tuple[str, ...],
    encoding: str | None,
    unseen: Any,
    as_json: bool,
) -> None:
    from rnnkit.tasks.language_model.evaluated_text import text_of_files, text_of_run
    from rnnkit.tasks.language_model.evaluation import evaluate
    from rnnkit.tasks.language_model.model import load_language_model

    session = load_language_model(directory)
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
    with progress_bar("scoring") as progress:
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
    click.echo(estimates_table(result.metrics))
