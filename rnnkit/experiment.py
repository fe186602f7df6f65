"""Experiments: train a new run, resume or extend one, cross-validate a configuration.

The library behind `rnnkit train` and `rnnkit crossval`. The order is always the same: check the
names, the configuration and the data, make the run directory, load TensorFlow, train. Everything
that an experiment has to say goes to its observer as an event.
"""

import contextlib
import datetime
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnkit.config.describe import differences, to_yaml
from rnnkit.errors import ConfigError, InterruptedTrainingError, RunError, UsageError
from rnnkit.inference.intervals import FoldScores, summarize_folds
from rnnkit.runs.checkpoint import Checkpoint, has_checkpoint, read_last_checkpoint
from rnnkit.runs.directory import (
    RunDirectory,
    check_name,
    create_run,
    locked,
    named_run,
    replace_recorded,
    verify_files,
)
from rnnkit.runs.files import read_document, write_atomically, write_document
from rnnkit.runs.records import Summary, read_summary
from rnnkit.tasks import task as tasks
from rnnkit.tasks.task import Config, load_config, parse_config, prepare
from rnnkit.training.events import Notice, Observer
from rnnkit.training.memory import check_memory
from rnnkit.training.task import TrainingData

LIMITS = frozenset({"training.max_steps", "training.max_epochs", "training.max_minutes"})
"""Keys that a resumed run may change."""

ShouldStop = Callable[[int], bool]
"""Asked after every step, with the number of updates made; True saves everything and raises
InterruptedTrainingError."""


@dataclass(frozen=True)
class Trained:
    """A run whose training ended by one of its limits."""

    run: RunDirectory
    summary: Summary


def start(
    config: Config,
    *,
    name: str,
    runs_dir: Path,
    observe: Observer,
    should_stop: ShouldStop,
    data: TrainingData | None = None,
) -> Trained:
    """Train `config` in the new run directory `runs_dir/name`; `data` are its data where they are
    prepared already.

    Raises:
        UsageError: `name` is no plain folder name.
        DataError, ConfigError: the data cannot be used, or do not fit the configuration.
        RunError: the name is taken, or a file cannot be written.
        InterruptedTrainingError: `should_stop` said so; the run can be resumed.
        TrainingDivergedError: the loss became NaN or infinite once too often.
    """
    check_name(name)
    data = data or prepare_data(config, observe=observe)
    run = create_run(runs_dir, name, config_text=to_yaml(config), vocabulary=data.vocabulary)
    with locked(run):
        return _train(config, data, run, observe=observe, should_stop=should_stop)


def resume(
    name: str,
    *,
    runs_dir: Path,
    overrides: Sequence[str] = (),
    observe: Observer,
    should_stop: ShouldStop,
) -> Trained:
    """Continue an interrupted run, or with higher limits a finished one.

    Args:
        name: path of a run directory, or its name in `runs_dir`.
        runs_dir: folder of the runs.
        overrides: `KEY=VALUE` for keys in `LIMITS`.
        observe: receives the events.
        should_stop: asked after every step.

    Raises:
        UsageError: an override changes anything but a limit.
        RunError: the run has finished, is damaged, or was trained on another text; and the
            errors of `start`.
    """
    run = named_run(name, runs_dir=runs_dir)
    observe(Notice(f"Reading {run.path} and its text ..."))
    verify_files(run, run.config)
    config = load_config(run.config)
    if overrides:
        config = _with_other_limits(run, config, overrides)
    elif run.is_finished:
        raise RunError(
            f"{run.path}: has finished, there is nothing to resume. To train it longer, raise a "
            "limit: rnnkit train --resume "
            f"{run.path} --set training.max_steps=N (or max_epochs, max_minutes)"
        )
    data = prepare_data(config, observe=observe, is_new=False)
    checkpoint = None
    if has_checkpoint(run):
        checkpoint = read_last_checkpoint(run, corpus=data.fingerprint, files=config.data.path)
        if checkpoint.path != run.last_checkpoint:
            observe(Notice(f"{run.last_checkpoint} is damaged; the one before it is used."))
    with locked(run):
        if overrides:
            _write_limits(run, config)
        return _train(
            config, data, run, checkpoint=checkpoint, observe=observe, should_stop=should_stop
        )


@dataclass(frozen=True)
class CrossValidation:
    """The scores of a finished cross-validation."""

    directory: Path
    folds: int
    seconds: tuple[float, ...]
    """Time in the training loop, of every fold."""
    metrics: dict[str, FoldScores]

    def to_json(self) -> dict[str, Any]:
        """Return the content of crossval.json."""
        return {
            "folds": self.folds,
            "seconds": list(self.seconds),
            "metrics": {
                name: {**vars(metric.mean), "deviation": metric.deviation, "folds": metric.folds}
                for name, metric in self.metrics.items()
            },
        }


def crossvalidate(
    config: Config,
    *,
    folds: int = 10,
    name: str,
    runs_dir: Path,
    observe: Observer,
    should_stop: ShouldStop,
) -> CrossValidation:
    """Train and test `config` on every fold of a stratified k-fold division in turn.

    Nothing is written before the configuration, and the data with the first fold held out, are
    found to be usable.

    Raises:
        UsageError: `name` is no plain folder name.
        ConfigError: the task cannot be cross-validated, or a key keeps a fold from being held out.
        RunError: the name is taken; and the errors of `start`.
    """
    check_name(name)
    if tasks.task_of(config).score_folds is None:
        raise ConfigError(f"task: {config.task}: crossval is for task: text_classification")
    if getattr(config.data, "fold", None) is not None:
        raise ConfigError("data.fold: is set by crossval; remove it")
    first = _fold_config(to_yaml(config), 1, folds)
    directory = runs_dir / name
    if directory.exists():
        raise _taken(directory)
    data = prepare_data(first, observe=observe)
    try:
        directory.mkdir(parents=True)
    except FileExistsError as error:
        raise _taken(directory) from error
    except OSError as error:
        raise RunError(f"{directory}: cannot be created: {error.strerror or error}") from error
    write_atomically(directory / "config.yaml", to_yaml(config).encode())
    write_document(directory / "crossval.json", "crossval", {"folds": folds})
    return _train_folds(directory, folds, first=data, observe=observe, should_stop=should_stop)


def resume_crossvalidation(
    name: str, *, runs_dir: Path, observe: Observer, should_stop: ShouldStop
) -> CrossValidation:
    """Continue a cross-validation where it stopped, and score it.

    Args:
        name: path of its directory, or its name in `runs_dir`.
        runs_dir: folder of the runs.
        observe: receives the events.
        should_stop: asked after every step.

    Raises:
        RunError: there is none of that name; and the errors of `resume`.
    """
    for directory in (Path(name), runs_dir / name):
        if (directory / "crossval.json").is_file():
            folds = int(read_document(directory / "crossval.json", "crossval")["folds"])
            return _train_folds(directory, folds, observe=observe, should_stop=should_stop)
    raise RunError(f"{name}: no cross-validation here or in {runs_dir} (it has no crossval.json)")


def _taken(directory: Path) -> RunError:
    return RunError(
        f"{directory}: exists already. Choose another --name, or go on with it: "
        f"rnnkit crossval --resume {directory}"
    )


def _fold_config(text: str, fold: int, of: int) -> Config:
    held_out = f"data.fold={{number: {fold}, of: {of}}}"
    return parse_config(text, source="config.yaml", base=Path(), overrides=(held_out,))


def _train_folds(
    directory: Path,
    folds: int,
    *,
    first: TrainingData | None = None,
    observe: Observer,
    should_stop: ShouldStop,
) -> CrossValidation:
    """Train what is not trained yet, score all folds, and write the results."""
    text = (directory / "config.yaml").read_text("utf-8")
    runs = []
    for fold in range(1, folds + 1):
        run = RunDirectory(directory / f"fold-{fold:02}")
        runs.append(run)
        if run.is_finished:
            observe(Notice(f"Fold {fold} of {folds} is trained."))
            continue
        observe(Notice(f"Fold {fold} of {folds}:"))
        hooks: Any = {"observe": observe, "should_stop": should_stop}
        try:
            if run.path.exists():
                resume(str(run.path), runs_dir=directory, **hooks)
            else:
                config = _fold_config(text, fold, folds)
                data = first if fold == 1 else None
                start(config, name=run.name, runs_dir=directory, data=data, **hooks)
        except InterruptedTrainingError as error:
            raise InterruptedTrainingError(
                f"{str(error).splitlines()[0]}\nGo on with:\n"
                f"rnnkit crossval --resume {shlex.quote(str(directory))}"
            ) from error
    return _score_folds(directory, runs)


def _score_folds(directory: Path, runs: Sequence[RunDirectory]) -> CrossValidation:
    score = tasks.task_of(load_config(directory / "config.yaml")).score_folds
    if score is None:
        raise RunError(f"{directory / 'config.yaml'}: is not the configuration of its folds")
    results = score(runs)
    found = CrossValidation(
        directory=directory,
        folds=len(runs),
        seconds=tuple(read_summary(run).seconds or 0.0 for run in runs),
        metrics=summarize_folds(results.scores, rows=results.rows),
    )
    write_atomically(directory / "out_of_fold.csv", results.out_of_fold)
    write_document(directory / "crossval.json", "crossval", found.to_json())
    return found


def prepare_data(config: Config, *, observe: Observer, is_new: bool = True) -> TrainingData:
    """Read, check and encode the data of an experiment, and report the notes about them."""
    data = prepare(config, is_new=is_new)
    for note in data.notes:
        observe(Notice(note))
    check_memory(config.training, parameters=data.parameters)
    return data


def free_name(runs_dir: Path, stem: str) -> str:
    """Return `stem` and the time, `tiny-20260102-030405`, with a number where that is taken."""
    stamped = f"{stem}-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    names = [stamped, *(f"{stamped}-{number}" for number in range(2, 1000))]
    return next(name for name in names if not (runs_dir / name).exists())


def _with_other_limits(run: RunDirectory, old: Config, overrides: Sequence[str]) -> Config:
    """Return the configuration of a run with `overrides`, which may change limits only."""
    new = load_config(run.config, overrides)
    others = sorted({path for path, *_ in differences(new, old)} - LIMITS)
    if others:
        raise UsageError(
            f"--set {others[0]}: a resumed run can change its limits only "
            f"({', '.join(sorted(LIMITS))}); start a new run for anything else"
        )
    return new


def _write_limits(run: RunDirectory, config: Config) -> None:
    """Give a run, which may have finished, the limits of `config`; its models stay valid."""
    replace_recorded(run, run.config, to_yaml(config).encode())
    run.summary.unlink(missing_ok=True)


def _train(
    config: Config,
    data: TrainingData,
    run: RunDirectory,
    *,
    checkpoint: Checkpoint | None = None,
    observe: Observer,
    should_stop: ShouldStop,
) -> Trained:
    observe(Notice("Loading TensorFlow ..."))
    with _native_log_held_back():
        from rnnkit.training.loop import train
    summary = train(
        config, data, run, checkpoint=checkpoint, observe=observe, should_stop=should_stop
    )
    return Trained(run, summary)


@contextlib.contextmanager
def _native_log_held_back() -> Iterator[None]:
    """Keep the messages of TensorFlow's C++ libraries off the screen while they load.

    They are written to the file descriptor before any setting of TensorFlow is read; they are
    shown when loading fails.
    """
    # Read once, at the import. What goes wrong later comes as an exception.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Not a default: a user's own setting for other programs would name a backend we cannot use.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as native_log:
        os.dup2(native_log.fileno(), 2)
        try:
            yield
        except BaseException:
            native_log.seek(0)
            os.write(screen, native_log.read())
            raise
        finally:
            os.dup2(screen, 2)
            os.close(screen)
