"""The Python API: what `import rnnkit` offers, for scripts and notebooks.

Every function is what a command does, with the same results. Errors are `RnnkitError`s.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnkit import experiment
from rnnkit.errors import UsageError
from rnnkit.experiment import CrossValidation, ShouldStop
from rnnkit.model import Model
from rnnkit.runs.directory import check_name, named_run
from rnnkit.tasks import task as tasks
from rnnkit.tasks.task import Config
from rnnkit.training.events import Event, Notice

ConfigSource = Config | Mapping[str, Any] | str | Path
"""A checked configuration, its sections as a mapping, or the path of a YAML file."""

Overrides = Mapping[str, Any] | Sequence[str]
"""`{"model.units": 64}`, or as on the command line `["model.units=64"]`."""

Progress = Callable[[Event], None]
"""Receives the events of `rnnkit.training.events` as they happen."""


def load_config(config: ConfigSource, *, overrides: Overrides = ()) -> Config:
    """Read and check a configuration.

    Args:
        config: a path, or the sections as a mapping, whose paths are relative to the current
            directory.
        overrides: keys to change, `{"model.units": 64}`.

    Raises:
        ConfigError: its message has one line for every problem.
    """
    settings = _settings(overrides)
    match config:
        case str() | Path():
            return tasks.load_config(Path(config), settings)
        case Mapping():
            text = json.dumps(config)
        case _ if not settings:
            return config
        case _:
            from rnnkit.config.describe import to_yaml

            text = to_yaml(config)
    return tasks.parse_config(text, source="config", base=Path(), overrides=settings)


def train(
    config: ConfigSource,
    *,
    overrides: Overrides = (),
    name: str | None = None,
    runs_dir: str | Path = "runs",
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Model:
    """Train a configuration in a new run directory, and return its model.

    Args:
        config: a path, a mapping, or what `load_config` returned.
        overrides: keys to change, `{"model.units": 64}`.
        name: of the run directory; the configuration and the time when not given.
        runs_dir: folder of the runs.
        progress: receives the events of training.
        should_stop: asked with the number of updates after every step; True saves and raises.

    Raises:
        RnnkitError: the configuration, the data or the name cannot be used, or training diverged.
    """
    folder, observe = Path(runs_dir), progress or _ignore
    trained = experiment.start(
        _checked(config, overrides=overrides, name=name, observe=observe),
        name=name or experiment.free_name(folder, _stem(config)),
        runs_dir=folder,
        observe=observe,
        should_stop=should_stop or _never,
    )
    return Model(trained.run)


def check(
    config: ConfigSource,
    *,
    overrides: Overrides = (),
    name: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Check a configuration and its data as `train` does before it trains.

    Args:
        config: a path, a mapping, or what `load_config` returned.
        overrides: keys to change, `{"model.units": 64}`.
        name: of the run directory that is to be made.
        progress: receives notes about the data.

    Raises:
        RnnkitError: the configuration, the data or the name cannot be used.
    """
    observe = progress or _ignore
    checked = _checked(config, overrides=overrides, name=name, observe=observe)
    experiment.prepare_data(checked, observe=observe)


def resume(
    run: str | Path,
    *,
    overrides: Overrides = (),
    runs_dir: str | Path = "runs",
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Model:
    """Continue an interrupted run, or with higher limits a finished one, and return its model.

    Args:
        run: path of a run directory, or its name in `runs_dir`.
        overrides: limits to change: `{"training.max_steps": 2000}`.
        runs_dir: folder of the runs.
        progress: receives the events of training.
        should_stop: asked with the number of updates after every step; True saves and raises.

    Raises:
        RnnkitError: the run has finished or is damaged, or its data have changed.
    """
    trained = experiment.resume(
        str(run),
        overrides=_settings(overrides),
        runs_dir=Path(runs_dir),
        observe=progress or _ignore,
        should_stop=should_stop or _never,
    )
    return Model(trained.run)


def crossvalidate(
    config: ConfigSource,
    *,
    folds: int = 10,
    overrides: Overrides = (),
    name: str | None = None,
    runs_dir: str | Path = "runs",
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> CrossValidation:
    """Train and test a classifier on every fold of a stratified division in turn.

    Returns mean, 95 % interval (Nadeau and Bengio 2003) and deviation of every metric.

    Args:
        config: a path, a mapping, or what `load_config` returned.
        folds: of the division, at least 2.
        overrides: keys to change.
        name: of the directory; the configuration and the time when not given.
        runs_dir: folder of the runs.
        progress: receives the events of training.
        should_stop: asked with the number of updates after every step; True saves and raises.

    Raises:
        RnnkitError: the configuration, the data or the name cannot be used, or training diverged.
    """
    if folds < 2:
        raise UsageError(f"folds: found {folds}, expected at least 2")
    if name is not None:
        check_name(name)
    folder = Path(runs_dir)
    return experiment.crossvalidate(
        load_config(config, overrides=overrides),
        folds=folds,
        name=name or experiment.free_name(folder, f"{_stem(config)}-crossval"),
        runs_dir=folder,
        observe=progress or _ignore,
        should_stop=should_stop or _never,
    )


def load(run: str | Path, *, runs_dir: str | Path = "runs") -> Model:
    """Open the model of a run.

    Args:
        run: path of a run directory, or its name in `runs_dir`.
        runs_dir: folder of the runs.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
    """
    return Model(named_run(str(run), runs_dir=Path(runs_dir)))


def _settings(overrides: Overrides) -> tuple[str, ...]:
    if isinstance(overrides, Mapping):
        return tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())
    return tuple(overrides)


def _checked(
    config: ConfigSource, *, overrides: Overrides, name: str | None, observe: Progress
) -> Config:
    """Return the checked configuration of a run whose name is checked as well."""
    if name is not None:
        check_name(name)
    checked = load_config(config, overrides=overrides)
    if isinstance(config, str | Path):
        observe(Notice(f"Reading {config} and its text ..."))
    return checked


def _stem(config: ConfigSource) -> str:
    return Path(config).stem if isinstance(config, str | Path) else "run"


def _ignore(event: Event) -> None:
    """Watch nothing."""


def _never(step: int) -> bool:
    return False
