"""Tables that are larger than memory: rows read one after the other, cells as text.

The kind of a file is told by its name: .csv, .tsv, .jsonl or .ndjson (one JSON object a line), or
.txt (one text a line, a table with the single column `text`); each also with .gz behind it.
"""

import contextlib
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO, assert_never

from rnnkit.data.opening import UNDECODED
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


@dataclass(frozen=True)
class Row:
    """One row and its number as a spreadsheet shows it: the header, if there is one, is row 1.

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


def cell_text(value: Any) -> str:
    """A JSON value as the text of a cell: text as it is, null as nothing, the rest as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


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
            text = io.TextIOWrapper(content, encoding=codec, errors="surrogateescape", newline="")
        except LookupError as error:
            raise UsageError(
                f"--encoding {encoding!r}: not an encoding of text that Python knows; expected "
                "for example utf-8, latin-1 or cp1252."
            ) from error
        lines = _lines(text, path, encoding)
        rows = _rows(lines, path, kind, header, separator)
        columns, width = next(rows)
        yield TableReader(path, kind, columns, width, rows, file.tell, size)


def _rows(
    lines: Iterator[str], path: Path, kind: Kind, header: bool, separator: str | None
) -> Iterator[Any]:
    """First (columns, width), then every `Row`."""
    match kind:
        case "csv" | "tsv":
            yield from _separated(
                lines, path, header=header, separator=separator or ("," if kind == "csv" else "\t")
            )
        case "jsonl":
            yield from _json_lines(lines, path)
        case "txt":
            yield ("text",), 1
            for number, line in enumerate(lines, start=1):
                yield Row(number, [line.rstrip("\r\n")])
        case _:
            assert_never(kind)


def _lines(text: TextIO, path: Path, encoding: str) -> Iterator[str]:
    """The lines of a file, with what is wrong with them in our words."""
    number = 0
    try:
        for line in text:
            number += 1
            if not line.isascii() and (found := UNDECODED.search(line)):
                byte = f"byte {ord(found[0]) - 0xDC00:#04x}" if found[0] >= "\udc80" else "a half"
                raise DataError(
                    f"{path}:{number}: {byte} is not {encoding}; name the file's encoding, for "
                    "example --encoding latin-1"
                )
            if "\0" in line:
                raise DataError(f"{path}:{number}: holds NUL, so this is no file of text")
            yield line
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read after line {number}: {error}") from error


def _separated(
    text: Iterator[str], path: Path, *, header: bool, separator: str
) -> Iterator[tuple[tuple[str, ...] | None, int] | Row]:
    csv.field_size_limit(LARGEST_CELL)
    lines = _RowLines(text)
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
        number += 1
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


class _RowLines:
    """Lines for `csv`, remembered as long as they belong to one row."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._kept: list[str] = []

    def __iter__(self) -> "_RowLines":
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


def _json_lines(lines: Iterator[str], path: Path) -> Iterator[tuple[tuple[str, ...], int] | Row]:
    columns: tuple[str, ...] | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not JSON ({error})") from error
        if not isinstance(cells, dict):
            raise DataError(
                f"{path}:{number}: expected one JSON object a line, such as "
                '{"text": "..."}; found something else'
            )
        if columns is None:
            columns = tuple(cells)
            yield columns, len(columns)
        yield Row(number, cells)
    if columns is None:
        raise DataError(f"{path}: is empty")
