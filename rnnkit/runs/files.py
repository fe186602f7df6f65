"""Files of a run: written atomically, JSON documents with a checksum and a format version.

Standard library alone, so that `rnnkit generate` starts at once.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnkit.errors import RunError

FORMAT_VERSION = 1

Document = dict[str, Any]
"""Content of a JSON document."""


# ---------------------------------------------------------------------------- atomic writing


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, so that a kill or a full disk leaves the old file or the new one.

    Raises:
        RunError: the file cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        kept = "; the previous version is intact" if path.exists() else ""
        raise RunError(f"{path}: cannot be written: {error.strerror or error}{kept}") from error
    finally:
        # Gone already when all went well; a second Ctrl-C comes through here too.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


# ------------------------------------------------------------- documents with their own checksum


def _canonical(content: Mapping[str, Any]) -> bytes:
    return encode_text(
        json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    )


def encode_text(text: str) -> bytes:
    """Encode as UTF-8, lone surrogates included.

    A path that is not UTF-8 is a str with lone surrogates; `json.loads` takes them back.
    """
    return text.encode(errors="surrogatepass")


def write_document(path: Path, kind: str, content: Mapping[str, Any]) -> None:
    """Write `content` as JSON in an envelope of format, version and sha256."""
    envelope = {
        "format": f"rnnkit/{kind}",
        "version": FORMAT_VERSION,
        "sha256": hashlib.sha256(_canonical(content)).hexdigest(),
        "content": content,
    }
    write_atomically(path, encode_text(json.dumps(envelope, indent=1, ensure_ascii=False) + "\n"))


def read_document(path: Path, kind: str) -> Document:
    """Read what `write_document` wrote.

    Raises:
        RunError: the file is missing, damaged, of another kind, or from a newer version.
    """
    data = read_bytes(path)
    try:
        envelope = json.loads(data)
        kind_found, version = envelope["format"], envelope["version"]
        checksum, content = envelope["sha256"], envelope["content"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(
            f"{path}: damaged or not written by rnnkit (expected a JSON document "
            f"'rnnkit/{kind}' with format, version, sha256 and content)"
        ) from error
    if kind_found != f"rnnkit/{kind}":
        raise RunError(f"{path}: holds {kind_found!r}, expected 'rnnkit/{kind}'")
    check_version(path, version)
    if not isinstance(content, dict) or hashlib.sha256(_canonical(content)).hexdigest() != checksum:
        raise RunError(f"{path}: the checksum does not match; the file was changed or damaged")
    return content


def check_version(path: Path, version: object) -> None:
    """Refuse files of a later format version."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RunError(f"{path}: format version {version!r} is not a version number; damaged?")
    if version > FORMAT_VERSION:
        raise RunError(
            f"{path}: format version {version} is newer than this rnnkit, which reads up to "
            f"{FORMAT_VERSION}; upgrade rnnkit to use this run"
        )


def read_bytes(path: Path) -> bytes:
    """Read a file of a run.

    Raises:
        RunError: it is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise RunError(f"{path}: missing; the run directory is incomplete") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
