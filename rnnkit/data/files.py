"""The files of a text: finding them, checking that they are text, noticing changes."""

import glob
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rnnkit.errors import DataError

UTF8_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (
    # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_SAMPLE_BYTES = 64 * 1024
_HASH_BLOCK_BYTES = 2**20
_MOST_CONTROL = 0.3
_TEXT_CONTROLS = b"\b\t\n\v\f\r\x1b"
_CONTROLS = bytes(set(range(32)) - set(_TEXT_CONTROLS)) + b"\x7f"


@dataclass(frozen=True)
class SourceFile:
    """A text file and its counts."""

    path: str
    bytes: int
    sha256: str
    has_bom: bool
    """Whether it begins with a UTF-8 byte order mark, which is not part of the text."""
    characters: int
    """Characters after cleaning."""
    lf: int
    """Newlines of Unix in the file."""
    crlf: int
    """Newlines of Windows."""
    cr: int
    """Newlines of old Macs."""


@dataclass(frozen=True)
class FileIdentity:
    """A file at the time when it was checked: place, time of change and content."""

    path: Path
    bytes: int
    modified_ns: int
    has_bom: bool
    sha256: str


def find_files(patterns: Sequence[str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the files of `patterns` (paths or glob patterns), and notes about them.

    Files come in the order of the patterns, those of one pattern by name; one that is named
    twice is taken once. Folders that a pattern matches are skipped.
    Raises DataError for what does not exist.
    """
    found: dict[Path, None] = {}
    notes = []
    for pattern in patterns:
        for path in _matches(pattern):
            if path in found:
                notes.append(f"{path} is named twice; it is read once.")
            found[path] = None
    if not found:
        raise DataError("No text file is given. Name one in data.path.")
    return tuple(found), tuple(notes)


def _matches(pattern: str) -> list[Path]:
    if "\0" in pattern:
        raise DataError(f"{pattern!r} is not a path: it holds a NUL character.")
    with naming(pattern):
        if os.path.lexists(pattern) or not glob.has_magic(pattern):
            return [Path(pattern)]
        # Path.glob takes no absolute pattern.
        matched = [Path(name) for name in glob.glob(pattern, recursive=True)]  # noqa: PTH207
    files = sorted(path for path in matched if not path.is_dir())
    if not files:
        only = "only folders" if matched else "no file"
        raise DataError(
            f"{pattern}: the pattern matches {only}. Check the spelling; in a configuration "
            "file it is relative to that file."
        )
    return files


def identify(path: Path, *, encoding: str) -> FileIdentity:
    """Check that the file looks like text in `encoding` and hash its content.

    Raises DataError when it does not, or when it changes meanwhile.
    """
    sample, status = _read_beginning(path)
    _check_beginning(path, sample, encoding=encoding)
    identity = FileIdentity(
        path=path,
        bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        has_bom=sample.startswith(UTF8_BOM),
        sha256=_hash_file(path),
    )
    check_unchanged(identity)
    return identity


def check_text_file(path: Path, *, encoding: str) -> None:
    """Raise DataError when the file does not look like text in `encoding`."""
    sample, _ = _read_beginning(path)
    _check_beginning(path, sample, encoding=encoding)


def _read_beginning(path: Path) -> tuple[bytes, os.stat_result]:
    with naming(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise DataError(
                f"{path} is a folder, not a text file. To read the files in it, use a pattern "
                f"such as {path / '*.txt'}"
            )
        if not stat.S_ISREG(status.st_mode):
            raise DataError(
                f"{path} is not a regular file, and it has to be read more than once. Save its "
                "text to a file first."
            )
        with path.open("rb") as file:
            return file.read(_SAMPLE_BYTES), status


def _check_beginning(path: Path, sample: bytes, *, encoding: str) -> None:
    if not sample.removeprefix(UTF8_BOM):
        raise DataError(f"{path} is empty. Give a file with text in it.")
    for mark, name in _WIDE_BOMS:
        if sample.startswith(mark):
            raise DataError(
                f"{path} begins with the byte order mark of {name}, which is not read here. "
                f"Convert it: iconv -f {name} -t UTF-8 {path.name} > converted.txt"
            )
    if sample.startswith(UTF8_BOM) and encoding != "utf-8":
        raise DataError(
            f"{path} begins with the byte order mark of UTF-8 (EF BB BF), but data.encoding is "
            f"{encoding}. Set data.encoding: utf-8"
        )
    if (nul := sample.find(b"\0")) >= 0:
        raise binary_file(path, nul, sample)
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > _MOST_CONTROL * len(sample):
        raise DataError(
            f"{path} is not a text file: {controls:,} of its first {len(sample):,} bytes are "
            "control characters. Extract the text from it first."
        )


def binary_file(path: Path, offset: int, surroundings: bytes) -> DataError:
    """Return the error for a NUL byte at `offset`, found in `surroundings`."""
    even, odd = surroundings[::2].count(0), surroundings[1::2].count(0)
    if (even == 0 or odd == 0) and 5 * (even + odd) > len(surroundings) and even + odd > 1:
        return DataError(
            f"{path} is not UTF-8 text: every second byte is NUL, as in UTF-16. Convert it: "
            f"iconv -f UTF-16{'LE' if even == 0 else 'BE'} -t UTF-8 {path.name} > converted.txt"
        )
    return DataError(
        f"{path} is not a text file: byte {offset:,} is NUL. Extract the text from it first."
    )


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with naming(path), path.open("rb", buffering=0) as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def check_unchanged(identity: FileIdentity) -> None:
    """Raise DataError when the file was written to since it was identified."""
    with naming(identity.path):
        now = identity.path.stat()
    if (now.st_size, now.st_mtime_ns) != (identity.bytes, identity.modified_ns):
        raise changed_file(identity.path)


def changed_file(path: Path) -> DataError:
    """Return the error for a file that another process writes to."""
    return DataError(
        f"{path} changed while it was being read. Start again when nothing writes to it."
    )


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Turn an error of the operating system about `path` into a DataError."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist. Check data.path; in a configuration file it is relative "
            "to that file."
        ) from None
    except PermissionError:
        raise DataError(f"{path} may not be read: permission denied.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
