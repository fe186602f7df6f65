"""What is inspected: the network of a run, or the one that a configuration describes.

Without TensorFlow and ONNX Runtime: the weights come from the best checkpoint.
"""

from pathlib import Path
from typing import cast

from rnnkit.errors import DataError, UsageError
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tasks import task as tasks
from rnnkit.tasks.language_model.subject import LanguageSubject
from rnnkit.tasks.text_classification.subject import ClassifierSubject

Subject = LanguageSubject | ClassifierSubject


def open_run(run: RunDirectory) -> Subject:
    """Open the trained network of a run.

    Raises:
        RunError: a file is missing, damaged, foreign, or does not belong to the others.
        UsageError: its task has nothing to inspect.
    """
    verify_files(run, run.config)
    return _open(run.config, run)


def open_config(path: Path) -> Subject:
    """Build the network that a configuration describes, before any training.

    Reads the data, on which the vocabulary depends.

    Raises:
        ConfigError: the configuration is wrong, or its weights do not fit the vocabulary.
        DataError: the data cannot be read.
        UsageError: its task has nothing to inspect.
    """
    return _open(path, None)


def _open(path: Path, run: RunDirectory | None) -> Subject:
    config = tasks.load_config(path)
    task = tasks.task_of(config)
    if task.subject is None:
        raise UsageError(f"{path}: task {config.task} has no view of its network.")
    return cast("Subject", task.subject(path if run is None else run))


def read_text(path: Path) -> str:
    """Read a text given by `--file`.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"--file {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"--file {path}: byte {error.start} is not UTF-8; convert the file to UTF-8"
        ) from error
