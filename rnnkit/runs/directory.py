"""The run directory: every file name, the format version, checksums, locking, and lookup.

    runs/NAME/
      config.yaml        resolved and complete          vocabulary.json    text rules and tokens
      environment.json   versions, device, seed         metrics.jsonl      one line per evaluation
      checkpoints/last.npz, best.npz                    model.keras, model.onnx
      manifest.json      sha256 of the files above that carry no checksum of their own
      data.json          counts of labelled texts       decision.json      threshold, temperature
      summary.json       written last: its presence means that the run finished

    runs/NAME/           a cross-validation
      config.yaml        as above                       crossval.json      scores of all folds
      fold-01/ ..        a run each                     out_of_fold.csv    predictions

Training and inference meet only here. Standard library alone, so that `rnnkit generate` starts
at once.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnkit.errors import RunError, UsageError
from rnnkit.runs.files import read_bytes, read_document, write_atomically, write_document


class _File:
    """A file of a run, by its place in the directory."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __get__(self, run: "RunDirectory", owner: type | None = None) -> Path:
        return run.path / self._place


@dataclass(frozen=True)
class RunDirectory:
    """The directory of a training run or cross-validation, and the paths of its files."""

    path: Path

    config = _File("config.yaml")
    """Resolved configuration."""
    vocabulary = _File("vocabulary.json")
    """Text rules and tokens."""
    environment = _File("environment.json")
    """Versions, device, cores, seed, commit."""
    metrics = _File("metrics.jsonl")
    """One JSON line per evaluation."""
    last_checkpoint = _File("checkpoints/last.npz")
    """Arrays and training state that a resume needs."""
    previous_checkpoint = _File("checkpoints/previous.npz")
    """The last but one, for when the last is damaged."""
    best_checkpoint = _File("checkpoints/best.npz")
    """Weights with the best score so far."""
    keras_model = _File("model.keras")
    """The best model in stock Keras layers."""
    onnx_model = _File("model.onnx")
    """The best model for inference."""
    manifest = _File("manifest.json")
    """Checksums of the files that have none inside."""
    summary = _File("summary.json")
    """Results; written last."""
    data_summary = _File("data.json")
    """Counts, lengths and coverage of labelled texts."""
    decision = _File("decision.json")
    """Threshold and temperature that `evaluate` chose and `predict` uses."""
    report = _File("report.html")
    """The page that `rnnkit report` writes."""
    crossval = _File("crossval.json")
    """Scores of a cross-validation, in the directory that holds its folds."""
    lock_file = _File(".lock")
    """Held by the process that trains."""

    @property
    def name(self) -> str:
        """Last component of the path, as in `rnnkit generate NAME`."""
        return self.path.name

    @property
    def is_finished(self) -> bool:
        """Whether training ended by one of its limits."""
        return self.summary.is_file()


# ------------------------------------------------------------------------------- the manifest


def write_manifest(run: RunDirectory, files: Sequence[Path]) -> None:
    """Record the sha256 of `files`, which must lie inside the run directory."""
    _write_sums(run, {_recorded_name(run, file): [_digest(read_bytes(file))] for file in files})


def replace_recorded(run: RunDirectory, path: Path, data: bytes) -> None:
    """Replace a file that the manifest lists; a kill leaves the old file or the new, both valid.

    Raises:
        RunError: a file cannot be written.
    """
    sums, name = _read_sums(run), _recorded_name(run, path)
    _write_sums(run, sums | {name: [*sums[name], _digest(data)]})
    write_atomically(path, data)
    _write_sums(run, sums | {name: [_digest(data)]})


def verify_files(run: RunDirectory, *paths: Path) -> None:
    """Check files against the manifest.

    Raises:
        RunError: a file is missing, changed, or not recorded.
    """
    sums = _read_sums(run)
    for path in paths:
        name = _recorded_name(run, path)
        if name not in sums:
            hint = "" if run.is_finished else f"; {not_finished(run)}"
            raise RunError(f"{path}: not part of this run (manifest.json does not list it){hint}")
        if _digest(read_bytes(path)) not in sums[name]:
            raise RunError(
                f"{path}: the checksum differs from the one in manifest.json; "
                "the file was changed or damaged"
            )


def _recorded_name(run: RunDirectory, path: Path) -> str:
    return path.relative_to(run.path).as_posix()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write_sums(run: RunDirectory, sums: Mapping[str, Sequence[str]]) -> None:
    write_document(run.manifest, "manifest", {"files": sums})


def _read_sums(run: RunDirectory) -> dict[str, list[str]]:
    """Return the sha256 of every recorded file; two while one is being replaced."""
    sums = read_document(run.manifest, "manifest").get("files")
    if not isinstance(sums, dict):
        raise RunError(f"{run.manifest}: holds no table of files; damaged?")
    return sums


# ---------------------------------------------------------------------------------- creation


def create_run(
    runs_dir: Path, name: str, *, config_text: str, vocabulary: Mapping[str, Any]
) -> RunDirectory:
    """Create `runs_dir/name` with its configuration and vocabulary.

    Raises:
        RunError: the name is taken or no file name, or the folder cannot be written.
    """
    check_name(name)
    run = RunDirectory(runs_dir / name)
    try:
        is_taken = run.path.exists()
    except OSError as error:  # a name that is too long for the disk
        raise RunError(f"{run.path}: cannot be created: {error.strerror or error}") from error
    if is_taken:
        raise RunError(_name_taken(run))
    # Built aside and moved into place, so that a folder in `runs_dir` always is a whole run.
    unfinished = RunDirectory(runs_dir / f".{name}.{os.getpid()}.tmp")
    try:
        unfinished.last_checkpoint.parent.mkdir(parents=True)
        write_atomically(unfinished.config, config_text.encode())
        write_document(unfinished.vocabulary, "vocabulary", vocabulary)
        write_manifest(unfinished, [unfinished.config])
        unfinished.path.rename(run.path)
    except (OSError, RunError) as error:
        shutil.rmtree(unfinished.path, ignore_errors=True)
        if run.path.exists():
            raise RunError(_name_taken(run)) from error
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RunError(f"{run.path}: cannot be created: {reason}") from error
    return run


def check_name(name: str) -> None:
    """Raise UsageError when `name` is no plain name of a folder."""
    if not name or name.startswith((".", "-")) or "/" in name or "\\" in name:
        expected = "a plain folder name without a leading dot or dash"
    elif not name.isprintable():  # newlines, control and direction characters
        expected = "a name of printable characters"
    else:
        return
    raise UsageError(f"--name {name!r}: expected {expected}")


def _name_taken(run: RunDirectory) -> str:
    return (
        f"{run.path}: exists already. Choose another --name, or resume it: "
        f"rnnkit train --resume {run.path}"
    )


@contextlib.contextmanager
def locked(run: RunDirectory) -> Iterator[None]:
    """Hold the run for training; the system releases it however the process ends.

    Raises:
        RunError: another process trains this run.
    """
    import filelock

    lock = filelock.FileLock(run.lock_file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise RunError(
            f"{run.path}: is being trained by another process; wait for it to end or stop it"
        ) from error
    except OSError as error:
        raise RunError(f"{run.lock_file}: cannot be locked: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def is_in_training(run: RunDirectory) -> bool:
    """Return whether a process trains the run now; False where that cannot be found out."""
    import filelock

    if not run.lock_file.exists():
        return False
    try:
        with filelock.FileLock(run.lock_file, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


# ---------------------------------------------------------------------- renaming and deleting


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


# ------------------------------------------------------------------------------------ lookup


def list_runs(runs_dir: Path) -> list[RunDirectory]:
    """Return all run directories in `runs_dir`, newest first; none when the folder is missing."""
    if not runs_dir.is_dir():
        return []
    runs = [
        RunDirectory(path)
        for path in runs_dir.iterdir()
        if (path / "manifest.json").is_file() and not path.name.startswith(".")
    ]
    return sorted(runs, key=lambda run: (_changed_at(run), run.name), reverse=True)


def _changed_at(run: RunDirectory) -> int:
    file = run.summary if run.is_finished else run.manifest
    return file.stat().st_mtime_ns


def find_crossval(name: str, *, runs_dir: Path) -> RunDirectory | None:
    """Return the cross-validation at the path `name` or of that name; None for anything else."""
    found = (RunDirectory(path) for path in (Path(name), runs_dir / name))
    return next((directory for directory in found if directory.crossval.is_file()), None)


def find_run(run: str | None, *, runs_dir: Path, tasks: Sequence[str]) -> RunDirectory:
    """Return the run of that path or name, or the newest finished one of one of `tasks`.

    Raises:
        RunError: there is none, or `run` names another folder.
    """
    if run is not None:
        return named_run(run, runs_dir=runs_dir)
    for candidate in list_runs(runs_dir):
        if candidate.is_finished:
            if read_document(candidate.summary, "summary").get("task") in tasks:
                return candidate
    raise RunError(
        f"{runs_dir}: no finished run for this command ({', '.join(tasks)}) in this folder. "
        "Train one with `rnnkit train CONFIG`, or name a run directory"
    )


def named_run(run: str, *, runs_dir: Path) -> RunDirectory:
    """Return the run directory at the path `run`, or of that name in `runs_dir`.

    Raises:
        RunError: neither is a run directory.
    """
    candidates = [Path(run), runs_dir / run]
    try:
        for path in candidates:
            if (path / "manifest.json").is_file():
                return RunDirectory(path)
        for path in candidates:
            if RunDirectory(path).crossval.is_file():
                raise RunError(
                    f"{path}: is a cross-validation; name the run of one of its folds, as in "
                    f"{path / 'fold-01'}"
                )
            if path.is_dir():
                raise RunError(f"{path}: not a run directory of rnnkit (it has no manifest.json)")
    except OSError as error:
        raise RunError(f"{run}: cannot be read: {error.strerror or error}") from error
    known = ", ".join(other.name for other in list_runs(runs_dir)[:5]) or "none"
    raise RunError(f"{run}: no such run, here or in {runs_dir} (newest there: {known})")


def newest_run(runs_dir: Path) -> RunDirectory:
    """Return the run that was changed last, finished or not.

    Raises:
        RunError: there is none.
    """
    runs = list_runs(runs_dir)
    if not runs:
        raise RunError(f"{runs_dir}: no run in this folder. Train one with `rnnkit train CONFIG`")
    return runs[0]


def not_finished(run: RunDirectory) -> str:
    """Return why a run has no summary yet, and what to do about it."""
    if is_in_training(run):
        return "training has not finished; wait for its end"
    return f"training has not finished; resume it with: rnnkit train --resume {run.path}"


def check_finished(run: RunDirectory) -> None:
    """Raise RunError for a run whose training has not ended."""
    if not run.is_finished:
        raise RunError(f"{run.path}: {not_finished(run)}")
