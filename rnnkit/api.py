"""The Python API: what `import rnnkit` offers, for scripts and notebooks."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnkit import experiment
from rnnkit.tasks import task
from rnnkit.tasks.task import Config
from rnnkit.training.events import Event

ConfigSource = Config | Mapping[str, Any] | str | Path
"""A checked configuration, its sections as a mapping, or the path of a YAML file."""

Overrides = Mapping[str, Any] | Sequence[str]
"""`{"model.units": 64}`, or as on the command line `["model.units=64"]`."""


def load_config(config: ConfigSource, *, overrides: Overrides = ()) -> Config:
    """Read and check a configuration.

    Raises:
        ConfigError: its message has one line for every problem.
    """
    settings = _settings(overrides)
    match config:
        case str() | Path():
            return task.load_config(Path(config), settings)
        case Mapping():
            text = json.dumps(config)
            return task.parse_config(text, source="config", base=Path(), overrides=settings)
        case _:
            if not settings:
                return config
            from rnnkit.config.describe import to_yaml

            return task.parse_config(
                to_yaml(config), source="config", base=Path(), overrides=settings
            )


def train(
    config: ConfigSource,
    *,
    overrides: Overrides = (),
    name: str | None = None,
    runs_dir: str | Path = "runs",
    progress: Callable[[Event], None] | None = None,
) -> experiment.Trained:
    """Train a configuration in a new run directory.

    Args:
        config: a path, a mapping, or what `load_config` returned.
        overrides: keys to change, `{"model.units": 64}`.
        name: of the run directory; the configuration and the time when not given.
        runs_dir: folder of the runs.
        progress: receives the events of `rnnkit.training.events` as they happen.

    Raises:
        RnnkitError: the configuration, the data or the name cannot be used, or training diverged.
    """
    folder = Path(runs_dir)
    stem = Path(config).stem if isinstance(config, str | Path) else "run"
    return experiment.start(
        load_config(config, overrides=overrides),
        name=name if name is not None else experiment.free_name(folder, stem),
        runs_dir=folder,
        observe=progress or (lambda event: None),
        should_stop=lambda step: False,
    )


def _settings(overrides: Overrides) -> tuple[str, ...]:
    if isinstance(overrides, Mapping):
        return tuple(f"{key}={json.dumps(value)}" for key, value in overrides.items())
    return tuple(overrides)
