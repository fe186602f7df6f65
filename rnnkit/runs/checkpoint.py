"""Checkpoints: named arrays and a JSON text of facts in one .npz file.

A zip archive keeps a CRC-32 of every member and its directory at the end, so damage and
truncation are noticed on reading. Nothing is pickled.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit.errors import RunError
from rnnkit.runs.directory import RunDirectory
from rnnkit.runs.files import FORMAT_VERSION, check_version, write_atomically
from rnnkit.tasks.task import Config

_FACTS = "facts.json"


def write_checkpoint(
    path: Path, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]
) -> None:
    """Replace the checkpoint at `path`; a kill or a full disk leaves the old one intact.

    Raises:
        RunError: the file cannot be written.
    """
    text = json.dumps({"format": "rnnkit/checkpoint", "version": FORMAT_VERSION, **facts})
    members = {**arrays, _FACTS: np.frombuffer(text.encode(), np.uint8)}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **members)  # type: ignore[arg-type]  # stub of savez
    write_atomically(path, buffer.getvalue())


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and facts of a checkpoint.

    Raises:
        RunError: the file is missing, truncated, damaged, foreign or from a newer version.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        kind, version = facts["format"], facts["version"]
    except FileNotFoundError as error:
        raise RunError(f"{path}: missing; this run cannot be resumed") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(f"{path}: damaged or not a checkpoint of rnnkit ({error})") from error
    if kind != "rnnkit/checkpoint":
        raise RunError(f"{path}: holds {kind!r}, expected 'rnnkit/checkpoint'")
    check_version(path, version)
    return arrays, facts


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


def read_last_checkpoint(
    run: RunDirectory, config: Config, *, corpus: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and facts that `run` goes on from.

    Args:
        run: an interrupted or finished run.
        config: its configuration.
        corpus: fingerprint of the text as it is now.

    Raises:
        RunError: the checkpoint cannot be read, or was written for another text.
    """
    arrays, facts = read_checkpoint(run.last_checkpoint)
    if facts.get("corpus") != corpus:
        raise RunError(
            f"{run.last_checkpoint}: was written for another text; {config.data.path} has changed "
            "since. Put the old text back, or train a new run"
        )
    return arrays, facts


def digest(data: bytes) -> str:
    """Sha256 in hexadecimal: ties a checkpoint to the text files it goes with."""
    return hashlib.sha256(data).hexdigest()
