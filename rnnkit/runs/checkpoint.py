"""Checkpoints: named arrays and a JSON text of values in one .npz file.

A zip archive keeps a CRC-32 of every member and its directory at the end, so damage and
truncation are noticed on reading. Nothing is pickled.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import FORMAT_VERSION, Document, check_version, write_atomically

_VALUES = "facts.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Content of a checkpoint and where it was found."""

    path: Path
    arrays: dict[str, np.ndarray]
    values: Document
    """What is not an array."""


def write_checkpoint(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    values: Mapping[str, Any],
    *,
    keep_as: Path | None = None,
) -> None:
    """Replace the checkpoint at `path`; a kill or a full disk leaves the old one intact.

    Args:
        path: the file.
        arrays: by name.
        values: what JSON can hold.
        keep_as: where the checkpoint that is replaced is kept.

    Raises:
        RunError: the file cannot be written.
    """
    text = json.dumps({"format": "rnnkit/checkpoint", "version": FORMAT_VERSION, **values})
    members = {**arrays, _VALUES: np.frombuffer(text.encode(), np.uint8)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)  # type: ignore[arg-type]  # stub of savez
    if keep_as is not None and path.exists():
        _keep(path, keep_as)
    write_atomically(path, buffer.getvalue())


def _keep(path: Path, kept: Path) -> None:
    """Give the file at `path` a second name, at which another may have been; the first stays."""
    temporary = kept.with_name(f".{kept.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:  # a file system without links
            shutil.copyfile(path, temporary)
        temporary.replace(kept)
    except OSError as error:
        raise RunError(f"{kept}: cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], Document]:
    """Read the arrays and values of a checkpoint.

    Raises:
        RunError: the file is missing, truncated, damaged, foreign or from a newer version.
    """
    return _read(path, only_values=False)


def read_checkpoint_values(path: Path) -> Document:
    """Read the values of a checkpoint without its arrays; raises RunError as `read_checkpoint`."""
    return _read(path, only_values=True)[1]


def _read(path: Path, *, only_values: bool) -> tuple[dict[str, np.ndarray], Document]:
    try:
        # Opened here, because NumPy leaves a damaged file open.
        source = path.open("rb") if only_values else io.BytesIO(path.read_bytes())
        with source, np.load(source) as archive:
            names = [_VALUES] if only_values else archive.files
            arrays = {name: archive[name] for name in names}
        values = json.loads(arrays.pop(_VALUES).tobytes())
        kind, version = values["format"], values["version"]
    except FileNotFoundError as error:
        raise RunError(f"{path}: missing; this run cannot be resumed") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: damaged or not a checkpoint of rnnkit ({error})") from error
    if kind != "rnnkit/checkpoint":
        raise RunError(f"{path}: holds {kind!r}, expected 'rnnkit/checkpoint'")
    check_version(path, version)
    return arrays, values


def read_weights(run: RunDirectory) -> dict[str, np.ndarray]:
    """Return the best weights of a run by name, such as `recurrent_0/kernel`, float32.

    Raises:
        RunError: there are none yet, or the file is damaged.
    """
    if not run.best_checkpoint.exists():
        raise RunError(
            f"{run.best_checkpoint}: missing: the run was not evaluated yet, or the file was "
            f"deleted. Train it further with: rnnkit train --resume {run.path}"
        )
    return read_checkpoint(run.best_checkpoint)[0]


def has_checkpoint(run: RunDirectory) -> bool:
    """Whether training of `run` has saved anything."""
    return run.last_checkpoint.exists() or run.previous_checkpoint.exists()


def read_last_checkpoint(
    run: RunDirectory, *, corpus: str, files: object = "data.path"
) -> Checkpoint:
    """Read the checkpoint that `run` continues from: the last, or where it is damaged the one
    before.

    Args:
        run: an interrupted or finished run.
        corpus: fingerprint of the data as they are now.
        files: where the data come from, for the message.

    Raises:
        RunError: neither checkpoint can be read, or it was written for other data or by a version
            of rnnkit whose training state was different.
    """
    path = run.last_checkpoint
    try:
        arrays, values = read_checkpoint(path)
    except RunError as error:
        try:
            path = run.previous_checkpoint
            arrays, values = read_checkpoint(path)
        except RunError:
            raise error from None
    if values.get("corpus") != corpus:
        raise RunError(
            f"{path}: was written for another text; {files} has changed since. "
            "Put the old text back, or train a new run"
        )
    if "state" not in values and "course" in values:
        raise RunError(
            f"{path}: was written by rnnkit 0.1, whose runs can be used but not resumed; resume it "
            "with that version, or train a new run"
        )
    return Checkpoint(path, arrays, values)


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal: ties a checkpoint to the text files it goes with."""
    return hashlib.sha256(data).hexdigest()
