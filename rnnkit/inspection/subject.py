"""What is inspected: the network of a run, or the one that a configuration describes.

Without TensorFlow and ONNX Runtime: the weights come from the best checkpoint.
"""

from pathlib import Path
from typing import cast

from rnnkit.errors import UsageError
from rnnkit.network.spec import EmbeddingInput
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tasks.language_model.subject import LanguageSubject
from rnnkit.tasks.task import load_config, task_of
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
    config = load_config(path)
    task = task_of(config)
    if task.subject is None:
        raise UsageError(f"{path}: task {config.task} has no view of its network.")
    return cast("Subject", task.subject(path if run is None else run))


def has_frozen_embeddings(subject: Subject) -> bool:
    """Return whether training leaves the vectors of the tokens as they are."""
    match subject.network.spec.input:
        case EmbeddingInput(trainable=trainable):
            return not trainable
        case _:
            return False
