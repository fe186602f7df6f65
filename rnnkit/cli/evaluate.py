"""`rnnkit evaluate`: how well a trained model does on texts it has not seen."""

from pathlib import Path
from typing import Any

import click

from rnnkit.cli.answer import emit, progress_bar
from rnnkit.cli.options import choose_run, json_option, run_argument, runs_dir_option
from rnnkit.errors import UsageError


@click.command("evaluate")
@run_argument()
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    help="Split of the run's own data [default: the first of these that is not empty].",
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
    the fraction of tokens that were the most probable. The text is read as one stream that keeps
    its recurrent state; window_64 scores are for pieces of 64 tokens, each read without the text
    before it.

    A classifier: loss (nats), accuracy and the usual scores of all classes together (macro: their
    plain mean) and of each, areas under the ROC and the precision-recall curve, Brier score and
    expected calibration error (ece), and the confusion matrix. What --threshold and --calibrate
    store is used by `predict` and by later evaluations.

    The test split is scored, or where it is empty validation or training, and the answer says
    which. low and high are the ends of a 95 % bootstrap interval, exact where a score is 0 or 1.

    \b
    Example:
      rnnkit evaluate
      rnnkit evaluate shakespeare --split train --json
      rnnkit evaluate --data another.txt --unseen skip
      rnnkit evaluate sentiment --calibrate --threshold f1 --worst 10
      rnnkit evaluate sentiment --compare another-run
    """
    for_classifiers = {
        "--threshold": threshold,
        "--positive": positive,
        "--calibrate": calibrate or None,
        "--reset-decision": reset_decision or None,
        "--worst": worst,
        "--compare": compare,
    }
    used = [name for name, value in for_classifiers.items() if value is not None]
    if files and split is not None:
        raise UsageError("--split is for the run's own data, --data for other files; use one.")
    if unseen is not None and not files:
        raise UsageError("--unseen is for --data; the run's own text is read as in training.")
    if encoding is not None and not files:
        raise UsageError("--encoding is for --data; the run knows that of its own text.")
    if unseen is not None and used:
        raise UsageError(f"--unseen is for language models, {used[0]} for classifiers.")
    if positive is not None and threshold is None:
        raise UsageError("--positive is the class that --threshold is about; give both.")
    from rnnkit.inference.decision import parse_goal, remove_decision
    from rnnkit.runs.directory import named_run, verify_files
    from rnnkit.tasks.language_model import model
    from rnnkit.tasks.task import config_of_run, load_config, task_of
    from rnnkit.tasks.text_classification import classifier, evaluation
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.evaluation import choose_decision

    goal = None if threshold is None else parse_goal(threshold)
    tasks = () if used else model.TASKS
    tasks += () if unseen is not None else classifier.TASKS
    directory = choose_run(run, runs_dir=runs_dir, tasks=tasks)
    verify_files(directory, directory.config)
    config = load_config(directory.config)
    own: dict[str, object] = {"unseen": unseen}
    if task_of(config).has_decision:
        if unseen is not None:
            raise UsageError(
                f"--unseen is for language models, and {directory.path} is a classifier: words "
                "that it does not know are read as <unk>."
            )
        if reset_decision and remove_decision(directory):
            click.echo(f"Removed {directory.decision}", err=True)
        if goal is not None or calibrate:
            own_config = config_of_run(directory, ClassificationConfig)
            _, messages = choose_decision(
                directory, own_config, goal=goal, positive=positive, calibrate=calibrate
            )
            for line in messages:
                click.echo(line, err=True)
        own = {"worst": worst or 0}
    elif used:
        raise UsageError(
            f"{used[0]} is for classifiers, and {directory.path} is a run of task {config.task}."
        )
    with progress_bar("scoring") as progress:
        found = task_of(config).evaluate(
            directory, split=split, data=files, encoding=encoding, progress=progress, **own
        )
    if compare is not None and isinstance(found, evaluation.ClassEvaluation):
        other = named_run(compare, runs_dir=runs_dir)
        verify_files(other, other.config)
        if not task_of(load_config(other.config)).has_decision:
            raise UsageError(f"--compare {other.path}: is no classifier.")
        config, second = (config_of_run(one, ClassificationConfig) for one in (directory, other))
        samples = config.evaluation.bootstrap_samples
        found = evaluation.compare(found, other, second, resamples=samples, seed=config.seed)
    emit(found.view(), as_json=as_json)
