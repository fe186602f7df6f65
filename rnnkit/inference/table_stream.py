"""Tables that are larger than memory: rows read and written one after the other, cells as text.

The kind of a file is told by its name: .csv, .tsv, .jsonl or .ndjson (one JSON object a line), or
.txt (one text a line, a table with the single column `text`); each also with .gz behind it.
"""

import contextlib
import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO, assert_never

from rnnkit.errors import DataError, UsageError

LARGEST_CELL = 10 * 2**20
"""Characters. A cell that is longer comes from a quotation mark that is never closed."""

Kind = Literal["csv", "tsv", "jsonl", "txt"]

_KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "txt",
}
_BYTES_AT_ONCE = 2**18


@dataclass(frozen=True)
class Row:
    """One row and its number, 1 for the first below the header.

    `cells` is a list of text, or, from JSON lines, the object of the line.
    """

    number: int
    cells: list[str] | dict[str, Any]


@dataclass(frozen=True)
class TableReader:
    """A table being read. `columns` are its names, or None where it has no header.

    `width` is the number of columns, `position()` the number of bytes of the file's `size` that
    have been read.
    """

    path: Path
    kind: Kind
    columns: tuple[str, ...] | None
    width: int
    rows: Iterator[Row]
    position: Callable[[], int]
    size: int


def kind_of(path: Path) -> Kind:
    """What a file holds, by its name.

    Raises:
        UsageError: the name tells nothing.
    """
    suffixes = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    kind = _KINDS.get(suffixes[0].lower()) if suffixes else None
    if kind is None:
        raise UsageError(
            f"{path}: cannot tell from its name what it holds; expected a name that ends in "
            f"{', '.join(_KINDS)}, or one of these and .gz."
        )
    return kind


@contextlib.contextmanager
def open_table(
    path: Path, *, encoding: str = "utf-8", header: bool = True, separator: str | None = None
) -> Iterator[TableReader]:
    """Open a table for reading; `separator` is by default what the file's name says.

    Raises:
        DataError: the file cannot be read, is not text in `encoding`, or is not a table; also
            while its rows are read, with the row's number.
        UsageError: the file's name tells nothing, or Python does not know the encoding.
    """
    kind = kind_of(path)
    try:
        size = path.stat().st_size
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    with file:
        content: Any = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
        # A byte order mark is no part of the first column's name.
        codec = "utf-8-sig" if encoding.replace("_", "-").lower() in ("utf-8", "utf8") else encoding
        try:
            text = io.TextIOWrapper(content, encoding=codec, newline="")
        except LookupError as error:
            raise UsageError(
                f"--encoding {encoding!r}: not an encoding of text that Python knows; expected "
                "for example utf-8, latin-1 or cp1252."
            ) from error
        rows = _reading_errors(path, encoding, _rows(text, path, kind, header, separator))
        columns, width = next(rows)
        yield TableReader(path, kind, columns, width, rows, file.tell, size)


def _rows(
    text: TextIO, path: Path, kind: Kind, header: bool, separator: str | None
) -> Iterator[Any]:
    """First (columns, width), then every `Row`."""
    match kind:
        case "csv" | "tsv":
            yield from _separated(
                text, path, header=header, separator=separator or ("," if kind == "csv" else "\t")
            )
        case "jsonl":
            yield from _json_lines(text, path)
        case "txt":
            yield ("text",), 1
            for number, line in enumerate(text, start=1):
                yield Row(number, [line.rstrip("\r\n")])
        case _:
            assert_never(kind)


def _reading_errors(path: Path, encoding: str, rows: Iterator[Any]) -> Iterator[Any]:
    """`rows`, with what the system and the codecs have to complain of put in our words."""
    done = -1  # the first item is the header
    try:
        for row in rows:
            yield row
            done += 1
    except UnicodeError as error:
        byte = (
            f"byte {error.object[error.start]:#04x}"
            if isinstance(error, UnicodeDecodeError)
            else "something"
        )
        raise DataError(
            f"{path}: {byte} after row {max(done, 0):,} is not {encoding}; name the file's "
            "encoding, for example --encoding latin-1"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: cannot be read after row {max(done, 0):,}: {error}; is it damaged?"
        ) from error


def _separated(
    text: TextIO, path: Path, *, header: bool, separator: str
) -> Iterator[tuple[tuple[str, ...] | None, int] | Row]:
    csv.field_size_limit(LARGEST_CELL)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=separator)
    first: list[str] | None = None
    number = 0
    while True:
        lines.forget()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path}: row {number + 1} cannot be read: {error}{_HINT}") from error
        if cells is None:
            break
        if first is None:
            if not cells:
                continue
            first = cells
            yield (tuple(cells) if header else None), len(cells)
            if header:
                continue
        elif not cells:
            if len(first) > 1:
                continue  # an empty line between rows
            cells = [""]
        number += 1
        if len(cells) != len(first):
            raise DataError(
                f"{path}: row {number} has {len(cells)} cells, expected {len(first)} as in the "
                f"{'header' if header else 'first row'}{_HINT}"
            )
        if lines.count > 1:
            _check_quotes(lines.text(), path, number, separator)
        yield Row(number, cells)
    if first is None:
        raise DataError(f"{path}: is empty")


_HINT = "; is another separator used, or a quotation mark not closed?"


class _Lines:
    """Lines for `csv`, remembered as long as they belong to one row."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._kept: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._kept.append(line)
        return line

    def forget(self) -> None:
        self._kept.clear()

    @property
    def count(self) -> int:
        return len(self._kept)

    def text(self) -> str:
        return "".join(self._kept)


def _check_quotes(text: str, path: Path, number: int, separator: str) -> None:
    """Refuse a row of several lines whose quotation mark only the end of the file closed."""
    try:
        list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DataError(
                f"{path}: row {number} has a quotation mark that is never closed, so that the "
                "rest of the file would be one cell"
            ) from error


def _json_lines(text: TextIO, path: Path) -> Iterator[tuple[tuple[str, ...], int] | Row]:
    columns: tuple[str, ...] | None = None
    number = 0
    for line_number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        number += 1
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{line_number}: not JSON ({error})") from error
        if not isinstance(cells, dict):
            raise DataError(
                f"{path}:{line_number}: expected one JSON object a line, such as "
                '{"text": "..."}; found something else'
            )
        if columns is None:
            columns = tuple(cells)
            yield columns, len(columns)
        yield Row(number, cells)
    if columns is None:
        raise DataError(f"{path}: is empty")


# ------------------------------------------------------------------------------------ writing


def cell_text(value: Any) -> str:
    """A JSON value as the text of a cell: text as it is, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


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
    writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
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
