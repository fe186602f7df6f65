"""What run directories hold, as values: overviews of all, details of one, comparisons of several.

A run that cannot be read becomes an overview with the status `damaged` in a list, and a RunError
where it was named.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rnnkit.errors import ConfigError, RunError
from rnnkit.runs.directory import RunDirectory, is_in_training, list_runs, verify_files
from rnnkit.runs.files import Document, read_bytes, read_document
from rnnkit.runs.records import (
    Estimate,
    MetricsLine,
    Summary,
    finite,
    metric,
    read_lines,
    read_summary,
)

if TYPE_CHECKING:  # loads pydantic
    from rnnkit.config.base import Section

LoadConfig = Callable[[Path], "Section"]
"""Reads and checks a configuration file: `rnnkit.tasks.task.load_config`."""

Status = Literal["finished", "unfinished", "in training", "damaged"]


@dataclass(frozen=True)
class Overview:
    """One run or cross-validation in a line; what is not known is None."""

    name: str
    path: str
    status: Status
    task: str | None = None
    cell: str | None = None
    units: tuple[int, ...] = ()
    steps: int | None = None
    best_step: int | None = None
    validation_loss: float | None = None
    """Lowest validation loss, nats per token."""
    bits_per_character: float | None = None
    """The same in bits."""
    accuracy: float | None = None
    """Of the best weights on the validation split, 0 to 1; of a cross-validation on the texts that
    were held out."""
    minutes: float | None = None
    problem: str | None = None
    """Why it is damaged."""
    changed_at: str | None = None
    """Local time of the end of training or the last checkpoint, ISO 8601."""
    folds: int | None = None
    """Of a cross-validation."""


@dataclass(frozen=True)
class Setting:
    """A key of the configuration that differs from its default."""

    value: Any
    default: Any


@dataclass(frozen=True)
class RunDetails:
    """Everything that the files of one run hold about its training."""

    overview: Overview
    settings: Mapping[str, Setting]
    config_text: str
    """The complete configuration as YAML."""
    environment: Document
    summary: Summary | None
    """None for a run that has not finished."""
    lines: tuple[MetricsLine, ...]
    files: Mapping[str, int]
    """Bytes of every file, by its path in the run directory."""

    @property
    def evaluations(self) -> tuple[MetricsLine, ...]:
        """The lines that are evaluations."""
        return tuple(line for line in self.lines if line.is_evaluation)

    def to_json(self) -> Document:
        """Return the document of `rnnkit runs show --json`."""
        sampled = [line.to_json()["samples"] for line in self.lines if line.samples]
        return {
            "overview": asdict(self.overview),
            "settings": {path: asdict(setting) for path, setting in self.settings.items()},
            "environment": self.environment,
            "summary": self.summary.to_json() if self.summary else {},
            "evaluations": [
                {key: value for key, value in line.to_json().items() if key != "samples"}
                for line in self.evaluations
            ],
            "samples": sampled[-1] if sampled else [],
            "files": dict(self.files),
        }


@dataclass(frozen=True)
class Comparison:
    """Several runs; the values of a row are in the order of `runs`."""

    runs: tuple[Overview, ...]
    metrics: dict[str, tuple[float | None, ...]]
    settings: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Keys of the configuration whose values are not the same in all runs."""
    same_text: bool | None = None
    """Whether the runs learned from the same encoded text; None when a run does not say."""

    def to_json(self) -> Document:
        """Return the document of `rnnkit runs compare --json`."""
        return {
            "runs": [overview.name for overview in self.runs],
            "same_text": self.same_text,
            "metrics": self.metrics,
            "settings": self.settings,
        }


# --------------------------------------------------------------------------------- overviews


def overviews(runs_dir: Path) -> list[Overview]:
    """Return every run and cross-validation in `runs_dir`, newest first, then incomplete runs."""
    runs = list_runs(runs_dir)
    if not runs_dir.is_dir():
        return []
    known = {run.path for run in runs}
    others = [RunDirectory(path) for path in sorted(runs_dir.iterdir()) if path not in known]
    others = [run for run in others if run.config.is_file() and not run.name.startswith(".")]
    crossvals = [run for run in others if run.crossval.is_file()]
    whole = sorted((*runs, *crossvals), key=lambda run: (_time(run), run.name), reverse=True)
    incomplete = [run for run in others if run not in crossvals]
    return [overview_or_problem(run) for run in (*whole, *incomplete)]


def _time(run: RunDirectory) -> float:
    """Return the time in seconds of the file that was written last."""
    files = (run.summary, run.crossval, run.manifest)
    return next((file.stat().st_mtime for file in files if file.is_file()), 0.0)


def overview_or_problem(run: RunDirectory) -> Overview:
    """Return the overview of a run, or of what is wrong with it."""
    try:
        return crossval_overview(run) if run.crossval.is_file() else overview(run)
    except (RunError, ConfigError) as error:
        return Overview(run.name, str(run.path), "damaged", problem=str(error))


def overview(run: RunDirectory) -> Overview:
    """Read the overview of a run: from its summary, or from its configuration before it has one.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration of an unfinished run cannot be read.
    """
    verify_files(run, run.config)
    return _finished_overview(run) if run.is_finished else _unfinished_overview(run)


def _finished_overview(run: RunDirectory) -> Overview:
    summary = read_summary(run)
    return Overview(
        run.name,
        str(run.path),
        "finished",
        task=summary.task,
        cell=summary.cell,
        units=summary.layer_sizes,
        steps=summary.steps,
        best_step=summary.best_step,
        validation_loss=summary.metric("validation_loss"),
        bits_per_character=_bits(summary),
        accuracy=summary.metric("validation_accuracy"),
        minutes=_minutes(summary.seconds),
        changed_at=summary.finished_at or _iso_time(_time(run)),
    )


def _unfinished_overview(run: RunDirectory) -> Overview:
    model, monitored = _recorded_model(run)
    lines = read_lines(run)
    scored = [line for line in lines if line.metric(monitored) is not None]
    sign = 1.0 if metric(monitored).lower_is_better else -1.0
    best = min(scored, key=lambda line: sign * line.metrics[monitored], default=MetricsLine(0))
    step, seconds = (lines[-1].step, lines[-1].seconds) if lines else (0, None)
    # A stop between two evaluations is saved, too.
    if (saved := _saved_position(run)) is not None and saved[0] > step:
        step, seconds = saved
    file = run.last_checkpoint if run.last_checkpoint.is_file() else run.manifest
    return Overview(
        run.name,
        str(run.path),
        "in training" if is_in_training(run) else "unfinished",
        task=model.task,
        cell=model.cell,
        units=model.layer_sizes,
        steps=step,
        best_step=best.step or None,
        validation_loss=best.metric("validation_loss"),
        bits_per_character=_bits(best),
        accuracy=best.metric("validation_accuracy"),
        minutes=_minutes(seconds),
        changed_at=_iso_time(file.stat().st_mtime),
    )


def _saved_position(run: RunDirectory) -> tuple[int, float] | None:
    """Return step and seconds of the last checkpoint, None where it cannot be read."""
    from rnnkit.runs.checkpoint import read_checkpoint_values

    try:
        values = read_checkpoint_values(run.last_checkpoint)
    except RunError:
        return None
    state = values.get("state", values.get("course"))  # "course" in runs of version 0.1
    step, seconds = (state.get("step"), finite(state.get("seconds"))) if state else (None, None)
    return None if seconds is None or not isinstance(step, int) else (step, seconds)


def _recorded_model(run: RunDirectory) -> tuple[Summary, str]:
    """Return task, cell and units as the configuration gives them, and the monitored metric.

    What the file says is not checked: a list has a row for every run.
    """
    from rnnkit.config.source import read_yaml

    text = read_bytes(run.config).decode(errors="replace")
    values = read_yaml(text, source=str(run.config)).value
    recorded = values if isinstance(values, dict) else {}
    model, training = (
        section if isinstance(section := recorded.get(name), dict) else {}
        for name in ("model", "training")
    )
    monitor = training.get("monitor") or "loss"
    return Summary.from_json({**model, "task": recorded.get("task")}), f"validation_{monitor}"


def _minutes(seconds: float | None) -> float | None:
    return None if finite(seconds) is None or seconds is None else seconds / 60


def _iso_time(seconds: float) -> str:
    time = datetime.datetime.fromtimestamp(seconds).astimezone()
    return time.isoformat(timespec="seconds")


def _bits(record: MetricsLine | Summary) -> float | None:
    """Bits per character of the validation text; without one, training recorded another text's."""
    if record.metric("validation_loss") is None:
        return None
    return record.metric("bits_per_character")


def crossval_overview(directory: RunDirectory) -> Overview:
    """Read the overview of a cross-validation.

    Raises:
        RunError: crossval.json is missing or damaged.
        ConfigError: its configuration cannot be read.
    """
    model, _ = _recorded_model(directory)
    content = read_document(directory.crossval, "crossval")
    metrics, seconds = crossval_metrics(content), content.get("seconds")
    trained = [value for value in seconds if finite(value)] if isinstance(seconds, list) else []
    folds = content.get("folds")
    in_training = any(is_in_training(run) for run in list_runs(directory.path))
    loss, accuracy = metrics.get("loss"), metrics.get("accuracy")
    return Overview(
        directory.name,
        str(directory.path),
        "in training" if in_training else "finished" if metrics else "unfinished",
        task=model.task,
        cell=model.cell,
        units=model.layer_sizes,
        validation_loss=finite(loss.value) if loss else None,
        accuracy=finite(accuracy.value) if accuracy else None,
        minutes=sum(trained) / 60 if trained else None,
        changed_at=_iso_time(directory.crossval.stat().st_mtime),
        folds=folds if isinstance(folds, int) else None,
    )


def crossval_metrics(content: Document) -> dict[str, Estimate]:
    """Return the scores of crossval.json; none before all folds are trained."""
    found = content.get("metrics")
    scores = found.items() if isinstance(found, dict) else ()
    return {
        name: Estimate(score["value"], finite(score.get("low")), finite(score.get("high")))
        for name, score in scores
        if isinstance(score, dict) and finite(score.get("value")) is not None
    }


# ----------------------------------------------------------------------------------- details


def run_details(run: RunDirectory, load_config: LoadConfig) -> RunDetails:
    """Read everything that a run holds about its training.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration cannot be read.
    """
    found = overview(run)
    settings, config_text = configuration(run, load_config)
    # The environment is recorded when training proper begins.
    recorded = run.environment.exists()
    return RunDetails(
        overview=found,
        settings=settings,
        config_text=config_text,
        environment=read_document(run.environment, "environment") if recorded else {},
        summary=read_summary(run) if run.is_finished else None,
        lines=tuple(read_lines(run)),
        files={
            path.relative_to(run.path).as_posix(): path.stat().st_size
            for path in sorted(run.path.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        },
    )


def configuration(run: RunDirectory, load_config: LoadConfig) -> tuple[dict[str, Setting], str]:
    """Return the keys that differ from their defaults, and the whole configuration as YAML."""
    from rnnkit.config.describe import differences, to_yaml

    config = load_config(run.config)
    settings = {path: Setting(value, default) for path, value, default in differences(config, None)}
    return settings, to_yaml(config)


# -------------------------------------------------------------------------------- comparison


def compare(runs: Sequence[RunDirectory], load_config: LoadConfig) -> Comparison:
    """Compare runs: scores, and the keys of the configuration that differ.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: a configuration cannot be read.
    """
    from rnnkit.config.describe import differences

    lines = tuple(overview(run) for run in runs)
    summaries = [read_summary(run) if run.is_finished else Summary() for run in runs]
    metrics: dict[str, tuple[float | None, ...]] = {
        "validation_loss": tuple(line.validation_loss for line in lines),
        "bits_per_character": tuple(line.bits_per_character for line in lines),
    }
    recorded = {name for summary in summaries for name in summary.metrics}
    for name in sorted(recorded - metrics.keys()):
        metrics[name] = tuple(summary.metric(name) for summary in summaries)
    metrics["parameters"] = tuple(summary.parameters for summary in summaries)
    metrics["steps"] = tuple(line.steps for line in lines)
    metrics["minutes"] = tuple(line.minutes for line in lines)

    first, *others = [load_config(run.config) for run in runs]
    settings: dict[str, list[Any]] = {}
    for position, other in enumerate(others, start=1):
        for path, value, other_value in differences(first, other):
            settings.setdefault(path, [value] * len(runs))[position] = other_value
    prints = [summary.corpus_fingerprint for summary in summaries]
    return Comparison(
        runs=lines,
        metrics={name: row for name, row in metrics.items() if any(v is not None for v in row)},
        settings={path: tuple(values) for path, values in settings.items()},
        same_text=None if None in prints else len(set(prints)) == 1,
    )
