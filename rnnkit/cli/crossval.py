"""`rnnkit crossval`: how well a configuration does on every part of its texts in turn."""

import csv
import io
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnkit.cli.display import click_line, stop_signals, training_display
from rnnkit.cli.options import json_option, runs_dir_option
from rnnkit.errors import ConfigError, InterruptedTrainingError, RunError, UsageError

if TYPE_CHECKING:
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.evaluation import ClassifiedTexts
    from rnnkit.training.events import Observer


@click.command("crossval")
@click.argument("config", type=click.Path(path_type=Path), required=False)
@click.option("--folds", type=click.IntRange(2), help="Parts of the division [default: 10].")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key of the configuration, such as model.units=128. Repeatable.",
)
@click.option("--name", help="Name of the directory [default: configuration, crossval and time].")
@click.option("--resume", metavar="DIR", help="Go on where this cross-validation stopped.")
@runs_dir_option
@json_option
def command(
    config: Path | None,
    folds: int | None,
    overrides: tuple[str, ...],
    name: str | None,
    resume: str | None,
    runs_dir: Path,
    as_json: bool,
) -> None:
    """Train and test CONFIG on every part of a stratified k-fold division in turn.

    Each fold is an ordinary run in the directory (fold-01, fold-02, ...), tested on texts that it
    never saw; the validation part, which may decide when to stop, is taken from the others. The
    directory also gets crossval.json and out_of_fold.csv, which has a prediction for every text.
    low and high are the ends of a 95 % interval of the mean (Nadeau and Bengio 2003).

    \b
    Examples:
      rnnkit crossval configs/sentiment.yaml --folds 10
      rnnkit crossval --resume sentiment-crossval-20260102-150405
    """
    if (config is None) == (resume is None):
        raise UsageError("give either a CONFIG file, or --resume DIR to go on with")
    if resume is not None and (overrides or name is not None or folds is not None):
        raise UsageError("--resume goes on with what DIR was started with; leave the others out")
    directory, number = (
        _start(config, overrides, folds or 10, name=name, runs_dir=runs_dir)
        if config is not None
        else _find(str(resume), runs_dir=runs_dir)
    )
    try:
        with stop_signals() as should_stop, training_display() as observe:
            runs = [
                _train_fold(directory, fold, of=number, observe=observe, should_stop=should_stop)
                for fold in range(1, number + 1)
            ]
    except InterruptedTrainingError as error:
        raise InterruptedTrainingError(
            f"{str(error).splitlines()[0]}\nGo on with:\n"
            f"rnnkit crossval --resume {shlex.quote(str(directory))}"
        ) from error
    _answer(directory, runs, as_json=as_json)


def _start(
    config: Path, overrides: tuple[str, ...], folds: int, *, name: str | None, runs_dir: Path
) -> tuple[Path, int]:
    """A new directory with the configuration and the number of folds."""
    from rnnkit.config.describe import to_yaml
    from rnnkit.experiment import free_name
    from rnnkit.runs.directory import check_name
    from rnnkit.runs.files import write_atomically, write_document

    resolved = _configuration(config, overrides)
    name = name if name is not None else free_name(runs_dir, f"{config.stem}-crossval")
    check_name(name)
    directory = runs_dir / name
    try:
        directory.mkdir(parents=True)
    except FileExistsError as error:
        raise RunError(
            f"{directory}: exists already. Choose another --name, or go on with it: "
            f"rnnkit crossval --resume {directory}"
        ) from error
    except OSError as error:
        raise RunError(f"{directory}: cannot be created: {error.strerror or error}") from error
    write_atomically(directory / "config.yaml", to_yaml(resolved).encode())
    write_document(directory / "crossval.json", "crossval", {"folds": folds})
    return directory, folds


def _find(name: str, *, runs_dir: Path) -> tuple[Path, int]:
    """A directory that was started before, and its number of folds."""
    from rnnkit.runs.files import read_document

    for directory in (Path(name), runs_dir / name):
        if (directory / "crossval.json").is_file():
            return directory, int(read_document(directory / "crossval.json", "crossval")["folds"])
    raise RunError(f"{name}: no cross-validation here or in {runs_dir} (it has no crossval.json)")


def _configuration(config: Path, overrides: tuple[str, ...]) -> "ClassificationConfig":
    """What every fold has in common; anything that keeps a fold from being held out is refused."""
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import ClassificationConfig

    plain = load_config(config, overrides)
    if not isinstance(plain, ClassificationConfig):
        raise ConfigError(f"{config}: task {plain.task}; crossval is for task: sentiment")
    if plain.data.fold is not None:
        raise ConfigError(f"{config}: data.fold: is set by crossval; remove it")
    load_config(config, (*overrides, "data.fold={number: 1, of: 2}"))
    return plain


def _train_fold(
    directory: Path, fold: int, *, of: int, observe: "Observer", should_stop: Callable[[int], bool]
) -> "RunDirectory":
    """Train what is not trained yet of one fold."""
    from rnnkit import experiment
    from rnnkit.runs.directory import RunDirectory
    from rnnkit.tasks.task import load_config

    run = RunDirectory(directory / f"fold-{fold:02}")
    if run.is_finished:
        click_line(f"Fold {fold} of {of} is trained.")
        return run
    click_line(f"Fold {fold} of {of}:")
    if run.path.exists():
        return experiment.resume(
            str(run.path), runs_dir=directory, observe=observe, should_stop=should_stop
        ).run
    config = load_config(directory / "config.yaml", (f"data.fold={{number: {fold}, of: {of}}}",))
    return experiment.start(
        config, name=run.name, runs_dir=directory, observe=observe, should_stop=should_stop
    ).run


def _answer(directory: Path, runs: "list[RunDirectory]", *, as_json: bool) -> None:
    """Score every fold on its own test part, keep and print the result."""
    from rnnkit.inference.intervals import summarize_folds
    from rnnkit.runs.files import read_document, write_atomically, write_document

    texts, scores, seconds = [], [], []
    for run in runs:
        found, metrics = _score(run)
        texts.append(found)
        scores.append(metrics)
        seconds.append(float(read_document(run.summary, "summary")["seconds"]))
    summary = summarize_folds(scores, rows=sum(map(len, texts)))
    document = {
        "folds": len(runs),
        "seconds": seconds,
        "metrics": {
            name: {**vars(metric.mean), "deviation": metric.deviation, "folds": metric.folds}
            for name, metric in summary.items()
        },
    }
    write_atomically(directory / "out_of_fold.csv", _out_of_fold(texts))
    write_document(directory / "crossval.json", "crossval", document)
    if as_json:
        from rnnkit.cli.answer import print_json

        print_json({"crossval": str(directory), **document})
        return
    from rnnkit.cli.answer import format_number, format_table

    rows = [
        (
            name,
            *(
                format_number(number, 4)
                for number in (
                    metric.mean.value,
                    metric.mean.low,
                    metric.mean.high,
                    metric.deviation,
                    min(metric.folds),
                    max(metric.folds),
                )
            ),
        )
        for name, metric in summary.items()
    ]
    header = ("metric", "mean", "low", "high", "deviation", "lowest", "highest")
    click.echo(f"{directory}, {len(runs)} folds, {max(seconds):.0f} s of training at most each\n")
    click.echo(format_table(header, rows, left=("metric",)))


def _score(run: "RunDirectory") -> "tuple[ClassifiedTexts, dict[str, float]]":
    """The test part of one fold with its predictions, and its scores."""
    from rnnkit.inference.scores import score_probabilities
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import ClassificationConfig
    from rnnkit.tasks.text_classification.evaluation import classify_split

    config = load_config(run.config)
    assert isinstance(config, ClassificationConfig)
    texts = classify_split(run, config, split="test")
    scored = score_probabilities(
        texts.probabilities,
        texts.labels,
        texts.classes,
        resamples=0,
        bins=config.evaluation.calibration_bins,
    )
    return texts, {name: metric.value for name, metric in scored.metrics.items()}


def _out_of_fold(folds: "list[ClassifiedTexts]") -> bytes:
    """One row for every text: where it stands, its class, and what the fold without it said."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    classes = folds[0].classes
    writer.writerow(
        ["fold", "file", "row", "label", "predicted", *(f"probability_{name}" for name in classes)]
    )
    for number, texts in enumerate(folds, start=1):
        for row in _rows(texts):
            writer.writerow([number, *row])
    return buffer.getvalue().encode("utf-8", errors="surrogatepass")


def _rows(texts: "ClassifiedTexts") -> Iterator[list[Any]]:
    places = zip(texts.files, texts.rows, texts.labels, texts.probabilities, strict=True)
    for file, row, label, probabilities in places:
        predicted = texts.classes[int(probabilities.argmax())]
        yield [
            file,
            int(row),
            texts.classes[int(label)],
            predicted,
            *(f"{probability:.6f}" for probability in probabilities),
        ]
