"""The door to the tasks: the one module that brings them together.

A new task is a folder beside this file, a member of `Config`, a schema in `SCHEMAS` and a case
in `task_of`.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, assert_never, cast

from rnnkit.config import load
from rnnkit.config.rules import Schema
from rnnkit.config.training import TrainingConfig, planned_schedule
from rnnkit.errors import UsageError
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tasks.base import Task
from rnnkit.tasks.language_model.config import CharGenerationConfig, WordGenerationConfig
from rnnkit.tasks.language_model.rules import CHARACTERS, WORDS
from rnnkit.tasks.language_model.task import language_model
from rnnkit.tasks.text_classification.config import ClassificationConfig
from rnnkit.tasks.text_classification.rules import CLASSIFICATION
from rnnkit.tasks.text_classification.task import text_classification

if TYPE_CHECKING:  # loads NumPy
    from rnnkit.training.task import TrainingData

Config = CharGenerationConfig | WordGenerationConfig | ClassificationConfig
"""The configuration of one experiment, whose key `task` names the task."""

SCHEMAS: dict[str, Schema] = {
    name: schema for schema in (CHARACTERS, WORDS, CLASSIFICATION) for name in schema.names
}
"""What a file may say, by the name of its task."""


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read and check a configuration file, changed by `KEY=VALUE` overrides.

    Paths become absolute: relative to the file where the file names them, relative to the
    current directory where an override does. Whether they exist is not checked here.

    Raises ConfigError; its message holds one line for every problem.
    """
    return cast("Config", load.load_config(path, overrides, SCHEMAS))


def parse_config(text: str, *, source: str, base: Path, overrides: Sequence[str] = ()) -> Config:
    """Check a configuration given as text.

    Args:
        text: content of a configuration file.
        source: its name in messages.
        base: directory that paths are relative to.
        overrides: `KEY=VALUE` each, which change values of the text.

    Raises ConfigError; its message holds one line for every problem.
    """
    loaded = load.parse_config(text, source=source, base=base, overrides=overrides, schemas=SCHEMAS)
    return cast("Config", loaded)


C = TypeVar("C", bound=Config)


def config_of_run(run: RunDirectory, *kinds: type[C]) -> C:
    """Read the configuration of a run of one task; `kinds` are its classes.

    Raises:
        RunError: the file is missing or damaged.
        UsageError: the run is one of another task.
    """
    verify_files(run, run.config)
    config = load_config(run.config)
    if not isinstance(config, kinds):
        raise UsageError(f"{run.path}: this is not for runs of task {config.task}.")
    return config


def task_of(config: Config) -> Task:
    """Return the task of a configuration. The only `match` over tasks in the package."""
    match config:
        case CharGenerationConfig() | WordGenerationConfig():
            return language_model(config)
        case ClassificationConfig():
            return text_classification(config)
        case _:
            assert_never(config)


def prepare(config: Config, *, is_new: bool = True) -> "TrainingData":
    """Read, check and encode the data of an experiment. Loads no TensorFlow.

    A run that is resumed (not `is_new`) has its weights in a checkpoint: what they began with
    may be gone and is not read again.

    Raises:
        DataError: the data cannot be used.
        ConfigError: they do not fit the configuration, such as initial weights of another shape.
        RunError: the run that `training.init_from` names is damaged.
    """
    data = task_of(config).prepare(is_new)
    return dataclasses.replace(data, notes=(*data.notes, *_schedule_notes(config.training)))


def _schedule_notes(training: TrainingConfig) -> tuple[str, ...]:
    asked, planned = training.schedule.warmup_steps, planned_schedule(training).warmup_steps
    if asked == planned:
        return ()
    return (
        f"training.schedule.warmup_steps: {asked} is not below max_steps "
        f"({training.max_steps}); the warm-up takes {planned} steps.",
    )
