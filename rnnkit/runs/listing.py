"""What the run directories say: one overview per run, the story of one, several side by side.

A run that cannot be read becomes an overview with the status `damaged` in a list, and a RunError
where it was asked for by name.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rnnkit.errors import ConfigError, RunError
from rnnkit.runs.directory import RunDirectory, is_in_training, list_runs, verify_files
from rnnkit.runs.files import read_document
from rnnkit.runs.records import read_metrics

Status = Literal["finished", "unfinished", "in training", "damaged"]


@dataclass(frozen=True)
class Overview:
    """One run in a line; what is not known is None."""

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
    """Accuracy on the validation part, 0 to 1, of the best weights."""
    minutes: float | None = None
    problem: str | None = None
    """Why it is damaged."""


@dataclass(frozen=True)
class Story:
    """Everything that one run has to tell, as values that JSON can hold."""

    overview: Overview
    settings: dict[str, dict[str, Any]]
    """Keys of the configuration that differ from the defaults: value and default."""
    environment: dict[str, Any]
    summary: dict[str, Any]
    """Contents of summary.json; empty for a run that has not finished."""
    evaluations: list[dict[str, Any]]
    """Lines of metrics.jsonl, without their samples."""
    samples: list[dict[str, Any]]
    """Texts written at the last evaluation that wrote any."""
    files: dict[str, int]
    """Bytes of every file, by its path in the run directory."""


@dataclass(frozen=True)
class Comparison:
    """Several runs side by side; the values of a row are in the order of `runs`."""

    runs: tuple[Overview, ...]
    metrics: dict[str, tuple[float | None, ...]]
    settings: dict[str, tuple[Any, ...]]
    """Keys of the configuration whose values are not the same in all runs."""
    same_text: bool | None
    """Whether the runs learned from the same encoded text; None when a run does not say."""


def overviews(runs_dir: Path) -> list[Overview]:
    """Every run in `runs_dir`, newest first, then folders that were to become one."""
    runs = list_runs(runs_dir)
    found = [overview_or_problem(run) for run in runs]
    if runs_dir.is_dir():
        known = {run.path for run in runs}
        torsos = (RunDirectory(path) for path in sorted(runs_dir.iterdir()) if path not in known)
        found += [overview_or_problem(run) for run in torsos if run.config.is_file()]
    return found


def newest_run(runs_dir: Path) -> RunDirectory:
    """The run that was changed last, finished or not.

    Raises:
        RunError: there is none.
    """
    runs = list_runs(runs_dir)
    if not runs:
        raise RunError(f"{runs_dir}: no run in this folder. Train one with `rnnkit train CONFIG`")
    return runs[0]


def overview_or_problem(run: RunDirectory) -> Overview:
    """The overview of a run, or of what is wrong with it."""
    try:
        return overview(run)
    except (RunError, ConfigError) as error:
        return Overview(run.name, str(run.path), "damaged", problem=str(error))


def overview(run: RunDirectory) -> Overview:
    """Read the line of one run: from its summary, or from its configuration before it has one.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration of an unfinished run cannot be read.
    """
    verify_files(run, run.config)
    if run.is_finished:
        return _finished_overview(run)
    from rnnkit.config.base import layer_sizes
    from rnnkit.tasks.task import load_config

    config = load_config(run.config)
    records = read_metrics(run)
    monitor = config.training.monitor
    scored = [r for r in records if number(r.get(f"validation_{monitor}")) is not None]
    lowest_is_best = 1.0 if monitor == "loss" else -1.0
    best = min(
        scored, key=lambda record: lowest_is_best * record[f"validation_{monitor}"], default={}
    )
    last = _saved(run) or (records[-1] if records else {})
    return Overview(
        run.name,
        str(run.path),
        "in training" if is_in_training(run) else "unfinished",
        task=config.task,
        cell=config.model.cell,
        units=layer_sizes(config.model),
        steps=last.get("step", 0),
        best_step=best.get("step"),
        validation_loss=number(best.get("validation_loss")),
        bits_per_character=_bits(best),
        accuracy=number(best.get("validation_accuracy")),
        minutes=_minutes(last),
    )


def _saved(run: RunDirectory) -> dict[str, Any]:
    """Step and seconds of the last checkpoint, which may be later than the last evaluation; {}
    where it cannot be read."""
    from rnnkit.runs.checkpoint import read_checkpoint_values

    try:
        state = read_checkpoint_values(run.last_checkpoint).get("state")
    except RunError:
        return {}
    return state if isinstance(state, dict) else {}


def _finished_overview(run: RunDirectory) -> Overview:
    summary = read_document(run.summary, "summary")
    metrics = summary.get("metrics", {})
    units = summary.get("units", ())
    return Overview(
        run.name,
        str(run.path),
        "finished",
        task=summary.get("task"),
        cell=summary.get("cell"),
        units=(units,) * (summary.get("layers") or 1) if isinstance(units, int) else tuple(units),
        steps=summary.get("steps"),
        best_step=summary.get("best_step"),
        validation_loss=number(metrics.get("validation_loss")),
        bits_per_character=_bits(metrics),
        accuracy=number(metrics.get("validation_accuracy")),
        minutes=_minutes(summary),
    )


def _minutes(record: dict[str, Any]) -> float | None:
    seconds = number(record.get("seconds"))
    return None if seconds is None else seconds / 60


def _bits(metrics: dict[str, Any]) -> float | None:
    """Bits per character of the validation text; without one, training recorded another text's."""
    if number(metrics.get("validation_loss")) is None:
        return None
    return number(metrics.get("bits_per_character"))


def number(value: object) -> float | None:
    """The value when it is a finite number; JSON holds no other, and files may hold anything."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None


def story(run: RunDirectory) -> Story:
    """Read all that a run has to tell.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: the configuration cannot be read.
    """
    from rnnkit.config.describe import differences
    from rnnkit.tasks.task import load_config

    line = overview(run)
    records = read_metrics(run)
    samples = [record["samples"] for record in records if record.get("samples")]
    return Story(
        overview=line,
        settings={
            path: {"value": value, "default": default}
            for path, value, default in differences(load_config(run.config), None)
        },
        environment=_environment(run),
        summary=read_document(run.summary, "summary") if run.is_finished else {},
        evaluations=[
            {key: value for key, value in record.items() if key != "samples"}
            for record in records
            if record.get("evaluated", True)
        ],
        samples=samples[-1] if samples else [],
        files={
            path.relative_to(run.path).as_posix(): path.stat().st_size
            for path in sorted(run.path.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        },
    )


def _environment(run: RunDirectory) -> dict[str, Any]:
    # Absent until training proper has begun.
    if not run.environment.exists():
        return {}
    return read_document(run.environment, "environment")


def compare(runs: Sequence[RunDirectory]) -> Comparison:
    """Put runs side by side: scores, and the keys of the configuration that differ.

    Raises:
        RunError: a file is missing, damaged, or from a newer version.
        ConfigError: a configuration cannot be read.
    """
    from rnnkit.config.describe import differences
    from rnnkit.tasks.task import load_config

    lines = tuple(overview(run) for run in runs)
    summaries = [read_document(run.summary, "summary") if run.is_finished else {} for run in runs]
    metrics: dict[str, tuple[float | None, ...]] = {
        "validation_loss": tuple(line.validation_loss for line in lines),
        "bits_per_character": tuple(line.bits_per_character for line in lines),
    }
    recorded = {name for summary in summaries for name in summary.get("metrics", {})}
    for name in sorted(recorded - metrics.keys()):
        metrics[name] = tuple(number(s.get("metrics", {}).get(name)) for s in summaries)
    metrics["parameters"] = tuple(number(summary.get("parameters")) for summary in summaries)
    metrics["steps"] = tuple(line.steps for line in lines)
    metrics["minutes"] = tuple(line.minutes for line in lines)

    first, *others = [load_config(run.config) for run in runs]
    settings: dict[str, list[Any]] = {}
    for position, other in enumerate(others, start=1):
        for path, value, other_value in differences(first, other):
            settings.setdefault(path, [value] * len(runs))[position] = other_value
    prints = [summary.get("corpus_fingerprint") for summary in summaries]
    return Comparison(
        runs=lines,
        metrics={name: row for name, row in metrics.items() if any(v is not None for v in row)},
        settings={path: tuple(values) for path, values in settings.items()},
        same_text=None if None in prints else len(set(prints)) == 1,
    )
