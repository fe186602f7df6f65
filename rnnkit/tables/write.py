"""Rows written one after the other into a file that is whole or not there at all."""

import contextlib
import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, assert_never

from rnnkit.errors import DataError, UsageError
from rnnkit.tables.stream import Kind, Row, cell_text, kind_of

_BYTES_AT_ONCE = 2**18


@dataclass(frozen=True)
class TableWriter:
    """Rows on their way into a file or to standard output."""

    write: Callable[[Row, Sequence[str | float]], None]


def table_writer(
    stream: TextIO,
    kind: Kind,
    *,
    columns: Sequence[str] | None,
    width: int,
    added: Sequence[str],
) -> TableWriter:
    """Write the rows of a table with cells after them, named `added`.

    Without `columns` there is no header, and in JSON the columns are named by their numbers.

    Raises:
        DataError: the rows have other columns than they began with, or two of one name in JSON.
    """
    match kind:
        case "csv" | "tsv":
            return _separated_writer(
                stream, "," if kind == "csv" else "\t", columns=columns, added=added
            )
        case "jsonl":
            names = list(columns) if columns is not None else [str(i) for i in range(width)]
            return _json_writer(stream, names, added)
        case "txt":
            raise UsageError("A .txt file holds no columns; write .csv, .tsv or .jsonl.")
        case _:
            assert_never(kind)


def _separated_writer(
    stream: TextIO, separator: str, *, columns: Sequence[str] | None, added: Sequence[str]
) -> TableWriter:
    writer = csv.writer(_UnixLines(stream), delimiter=separator, lineterminator="\r\n")
    if columns is not None:
        writer.writerow([*columns, *added])
    known = frozenset(columns or ())

    def write(row: Row, more: Sequence[str | float]) -> None:
        cells = row.cells
        if isinstance(cells, dict):
            if not cells.keys() <= known:
                new = ", ".join(sorted(cells.keys() - known))
                raise DataError(
                    f"Row {row.number} has a key that the first one lacks ({new}), for which the "
                    "table has no column; write a .jsonl file instead"
                )
            cells = [cell_text(cells.get(name)) for name in columns or ()]
        writer.writerow([*cells, *more])

    return TableWriter(write)


class _UnixLines:
    r"""Rows that `csv` ends with \r\n, ended with \n instead.

    Python before 3.13 quotes only those line ends inside a cell that also end the rows, so a lone
    \r would come back as the end of a row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


def _json_writer(stream: TextIO, names: Sequence[str], added: Sequence[str]) -> TableWriter:
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DataError(f"Two columns are called {twice!r}, which JSON cannot hold; write .csv")
    encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(row: Row, more: Sequence[str | float]) -> None:
        cells = row.cells
        named = cells if isinstance(cells, dict) else dict(zip(names, cells, strict=True))
        stream.write(encode({**named, **dict(zip(added, more, strict=True))}) + "\n")

    return TableWriter(write)


def check_output(output: Path, *, source: Path | None, force: bool) -> None:
    """Refuse an output that would overwrite what the user may still need.

    Raises:
        UsageError: it is the input, exists already, lies nowhere, or its name tells nothing.
    """
    if kind_of(output) == "txt":
        raise UsageError(f"--output {output}: a .txt file holds no columns; use .csv or .jsonl.")
    if source is not None and output.exists() and source.exists() and output.samefile(source):
        raise UsageError(f"--output {output}: is the input; choose another name.")
    if output.is_dir() or not output.parent.is_dir():
        what = "is a folder" if output.is_dir() else f"there is no folder {output.parent}"
        raise UsageError(f"--output {output}: {what}.")
    if output.exists() and not force:
        raise UsageError(f"--output {output}: exists already; --force replaces it.")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A stream whose text is in `path` when, and only when, all of it has been written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            with contextlib.ExitStack() as stack:
                binary: Any = file
                if path.suffix == ".gz":
                    # Without a time of its own, so that the same rows make the same file.
                    binary = stack.enter_context(
                        gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)
                    )
                buffered = io.BufferedWriter(binary, _BYTES_AT_ONCE)
                # Half a surrogate pair can come from a JSON file; it is written as JSON wrote it.
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
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
