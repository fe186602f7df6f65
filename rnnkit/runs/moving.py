"""Renaming and deleting runs, which must not be in training."""

import os
import shutil
from pathlib import Path

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory, check_name, is_in_training


def rename_run(run: RunDirectory, name: str) -> RunDirectory:
    """Give a run or cross-validation another name in its folder.

    Raises:
        RunError: the name is taken or no folder name, or the run is being trained.
    """
    check_name(name)
    renamed = RunDirectory(run.path.with_name(name))
    _check_idle(run)
    if renamed.path.exists():
        raise RunError(f"{renamed.path}: exists already; choose another name")
    _move(run, renamed.path)
    return renamed


def delete_run(run: RunDirectory) -> None:
    """Delete the directory of a run or cross-validation with everything in it.

    Raises:
        RunError: it is being trained, or cannot be deleted.
    """
    _check_idle(run)
    # Out of sight first: a kill in the middle leaves no half run in the list.
    hidden = run.path.with_name(f".{run.name}.{os.getpid()}.deleted")
    _move(run, hidden)
    try:
        shutil.rmtree(hidden)
    except OSError as error:
        raise RunError(f"{hidden}: cannot be deleted: {error.strerror or error}") from error


def _check_idle(run: RunDirectory) -> None:
    folds = (RunDirectory(path) for path in run.path.glob("fold-*"))
    for held in (run, *folds):
        if is_in_training(held):
            raise RunError(f"{held.path}: is being trained by another process; stop it first")


def _move(run: RunDirectory, target: Path) -> None:
    try:
        run.path.rename(target)
    except OSError as error:
        raise RunError(f"{run.path}: cannot be moved: {error.strerror or error}") from error
