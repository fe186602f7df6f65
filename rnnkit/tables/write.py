"""Tables written row by row: CSV, TSV and JSON lines, into a file that is whole or absent."""

import contextlib
import csv
import errno
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO, assert_never

from rnnkit.errors import DataError, UsageError
from rnnkit.tables.read import Row, format_of

_BYTES_AT_ONCE = 2**18
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

OutputFormat = Literal["csv", "tsv", "jsonl"]

WriteRow = Callable[[int, Row, Sequence[str | float]], None]
"""Write a row, of which the number is given for messages, and the cells that are added to it."""


def output_format(path: Path) -> OutputFormat:
    """Return the format that the name of an output file stands for.

    Raises:
        UsageError: it stands for none, or for one without columns.
    """
    file_format = None if path.suffix.lower() == ".zip" else format_of(path)
    if file_format in ("csv", "tsv", "jsonl"):
        return file_format
    holds = ": a .txt file holds no columns" if file_format == "lines" else ""
    raise UsageError(
        f"{path}{holds}; expected a name that ends in .csv, .tsv, .jsonl or .ndjson, or one of "
        "these and .gz."
    )


def row_writer(
    stream: TextIO,
    output: OutputFormat,
    *,
    columns: Sequence[str] | None,
    width: int,
    added: Sequence[str],
) -> WriteRow:
    """Return a function that writes the rows of a table with cells after them, named `added`.

    Without `columns` there is no header, and in JSON the columns are named by their numbers.

    Raises:
        DataError: two columns have one name in JSON; while rows are written, one has other
            columns than the first.
    """
    match output:
        case "csv" | "tsv":
            separator = "," if output == "csv" else "\t"
            return _separated_writer(stream, separator, columns=columns, added=added)
        case "jsonl":
            names = list(columns) if columns is not None else [str(i) for i in range(width)]
            return _json_writer(stream, names, added)
        case _:
            assert_never(output)


def _separated_writer(
    stream: TextIO, separator: str, *, columns: Sequence[str] | None, added: Sequence[str]
) -> WriteRow:
    writer = csv.writer(_UnixLines(stream), delimiter=separator, lineterminator="\r\n")
    if columns is not None:
        writer.writerow([*columns, *added])
    known = frozenset(columns or ())

    def write(number: int, row: Row, more: Sequence[str | float]) -> None:
        if isinstance(row, dict):
            if not row.keys() <= known:
                new = ", ".join(sorted(row.keys() - known))
                raise DataError(
                    f"Row {number:,} has a key that the first one lacks ({new}), for which the "
                    "table has no column; write a .jsonl file instead."
                )
            row = [row.get(name) for name in columns or ()]
        writer.writerow([*map(_separated_cell, row), *more])

    return write


def _separated_cell(value: Any) -> str:
    """Return text as it is, a missing value as nothing, and the rest as JSON has it."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool() | int() | float() | list() | dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


class _UnixLines:
    r"""Rows that `csv` ends with \r\n, ended with \n instead.

    Python before 3.13 quotes only those line ends inside a cell that also end the rows, so a lone
    \r would come back as the end of a row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


def _json_writer(stream: TextIO, names: Sequence[str], added: Sequence[str]) -> WriteRow:
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DataError(f"Two columns are called {twice!r}, which JSON cannot hold; write .csv.")
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    def write(number: int, row: Row, more: Sequence[str | float]) -> None:
        named = row if isinstance(row, dict) else dict(zip(names, row, strict=True))
        stream.write(encode({**named, **dict(zip(added, more, strict=True))}) + "\n")

    return write


def check_output(output: Path, *, source: Path | None, force: bool) -> None:
    """Refuse an output that would overwrite what the user may still need.

    Raises:
        UsageError: it is the input, exists already, its folder is missing, or its name tells no
            format.
    """
    try:
        output_format(output)
        exists, has_folder = output.exists(), output.parent.is_dir()
        is_input = source is not None and exists and source.exists() and output.samefile(source)
    except UsageError as error:
        raise UsageError(f"--output {error}") from None
    except OSError as error:
        reason = f"{error.filename} cannot be read: {error.strerror or error}"
        raise UsageError(f"--output {output}: {reason}.") from None
    if is_input:
        raise UsageError(f"--output {output}: is the input; choose another name.")
    if output.is_dir() or not has_folder:
        what = "is a folder" if has_folder else f"there is no folder {output.parent}"
        raise UsageError(f"--output {output}: {what}.")
    if exists and not force:
        raise UsageError(f"--output {output}: exists already; --force replaces it.")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Yield a stream whose text is in `path` when, and only when, all of it has been written.

    Raises:
        UsageError: the place cannot be written. A full disk stays an OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            with contextlib.ExitStack() as stack:
                binary: Any = file
                if path.suffix.lower() == ".gz":
                    # Without a time of its own, so that the same rows make the same file.
                    binary = stack.enter_context(
                        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
                    )
                buffered = io.BufferedWriter(binary, _BYTES_AT_ONCE)
                # Half a surrogate pair can come from a text argument; it is written as an escape.
                text = io.TextIOWrapper(
                    buffered, encoding="utf-8", newline="", errors="backslashreplace"
                )
                yield text
                text.flush()
                text.detach()
                buffered.detach()
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise
        reason = error.strerror or error
        raise UsageError(f"{path} cannot be written: {reason}. Choose another place.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
