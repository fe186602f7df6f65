"""Tables read in chunks: CSV, TSV, JSON lines, Parquet and plain lines, also packed (.gz, .zip).

Training and predicting read with the same rules:

- A row has the number that a spreadsheet shows: the first row of the file, the header if there is
  one, is row 1, and empty rows count. In JSON lines and plain lines it is the line. A cell with
  line breaks makes the line of an editor another one than the row; `line_of_row` finds it.
- Everything in CSV and TSV is text: a tweet that says `NA`, `null` or `1e5` says just that.
- An empty line is passed over; in a table of one column an empty line is an empty cell.
- A row that cannot be used is a `Fault`, and reading continues after it. The caller decides whether
  a fault ends everything or is counted.

Memory does not grow with the file.
"""

import csv
import gzip
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, assert_never

from rnnkit.data.files import UNDECODED, bare_name, describe_undecoded, naming, open_text
from rnnkit.data.splits import counted
from rnnkit.errors import DataError

CHUNK_ROWS = 8192
CHUNK_CHARACTERS = 2**22
"""A chunk ends with either of the two, so that long texts do not need more memory."""

LARGEST_CELL = 10 * 2**20
"""Characters. A cell that is longer comes from a quotation mark that is never closed."""

Format = Literal["csv", "tsv", "jsonl", "parquet", "lines"]
_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".txt": "lines",
}

Row = Sequence[Any] | dict[str, Any]
"""Cells in the order of the columns (text, or the typed values of Parquet), or a JSON object."""

Place = int | str
"""Where a cell is in a `Row`: an index, or the key of a JSON object."""

FaultKind = Literal["columns", "header", "json", "text", "label", "unmapped", "bytes"]


@dataclass(frozen=True)
class Fault:
    """Why a row cannot be used. `detail` ends a sentence that begins with `row 17: `."""

    row: int
    kind: FaultKind
    detail: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Consecutive rows of a table; those with a fault are in `faults` only.

    `numbers` are the row numbers of `rows`, from 1. `position` says how much of `Table.size` has
    been read.
    """

    numbers: Sequence[int]
    rows: list[Row]
    faults: list[Fault]
    position: int = 0


@dataclass(frozen=True)
class TableOptions:
    """How a table is written. A `separator` of None is the usual one of the format; `width` is
    the number of columns that there must be, None takes that of the first row."""

    encoding: str = "utf-8"
    header: bool = True
    separator: str | None = None
    width: int | None = None


@dataclass(frozen=True, eq=False)
class Table:
    """An open table. `first` are the names of its columns or, without a header, the first row.
    `size` is the end of `Chunk.position`."""

    path: Path
    format: Format
    options: TableOptions
    first: tuple[str, ...]
    chunks: Iterator[Chunk]
    size: int

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of the columns; None where the table has no header."""
        without = self.format in ("csv", "tsv") and not self.options.header
        return None if without else self.first

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.first)


def format_of(path: Path) -> Format | None:
    """Return the format that the name tells, without .gz and .zip; None when it tells none."""
    return _FORMATS.get(Path(bare_name(path)).suffix.lower())


def read_table(path: Path, file_format: Format, options: TableOptions) -> Table:
    """Open a table; its chunks are read one after the other.

    Raises:
        DataError: the file cannot be read as that, also while its chunks are read.
    """
    match file_format:
        case "parquet":
            parts = _parquet(path)
        case "csv" | "tsv" | "jsonl" | "lines":
            parts = _text_table(path, file_format, options)
        case _:
            assert_never(file_format)
    first, size = next(parts)
    if options.width is not None and len(first) != options.width:
        raise DataError(
            f"{path}: the first row has {counted(len(first), 'column')} instead of "
            f"{options.width}. Is this the right data.layout?"
        )
    return Table(path, file_format, options, first, parts, size)


def cell_text(value: object) -> str | None:
    """Return a typed value as the text of a cell: `4.0 -> "4"`, `True -> "true"`, NaN -> None."""
    match value:
        case str():
            return value
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case float() if math.isnan(value):
            return None
        case float() if value.is_integer():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", errors="surrogateescape")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


def cell_at(row: Row, place: Place) -> Any:
    """Return the cell of a row; None for a key that a JSON object lacks."""
    return row.get(place) if isinstance(row, dict) else row[place]  # type: ignore[index]


def unreadable(text: str, *, encoding: str) -> str | None:
    """Return what is wrong with the characters of a cell; None when nothing is."""
    if "\0" in text:
        return "there is a NUL character, which no text holds"
    if not text.isascii() and UNDECODED.search(text):
        return describe_undecoded(text, encoding=encoding)
    return None


def separator_of(file_format: Format, options: TableOptions) -> str:
    """Return the character between the columns of CSV or TSV."""
    return options.separator or ("\t" if file_format == "tsv" else ",")


def line_of_row(path: Path, row: int, file_format: Format, options: TableOptions) -> int:
    """Return the line of the file, from 1, on which `row` begins; of Parquet the row itself."""
    if file_format not in ("csv", "tsv"):
        return row
    separator = separator_of(file_format, options)
    with open_text(path, encoding=options.encoding) as text, _large_cells():
        for number, (_, line) in enumerate(_records(text, separator), start=1):
            if number == row:
                return line
    raise ValueError(f"{path} has no row {row}")


# ------------------------------------------------------------------------------------ text files

_Item = tuple[int, int, Row | Fault]
"""Number of a row, its characters, and what it holds."""


def _text_table(path: Path, file_format: Format, options: TableOptions) -> Iterator[Any]:
    """Yield `Table.first` and `Table.size`, then chunks.

    The file is open in this generator only: what the caller does between two chunks may fail
    without being taken for a failure of the file.
    """
    with open_text(path, encoding=options.encoding) as text, _large_cells():
        size = _unpacked_size(path)
        match file_format:
            case "jsonl":
                items = _json_items(path, text)
                held, keys = _until_first_object(path, items)
                yield keys, size
                items = chain(held, items)
            case "lines":
                items = _line_items(text)
                yield ("text",), size
            case _:
                separator = separator_of(file_format, options)
                records = enumerate(_records(text, separator), start=1)
                number, first = _first_record(path, records)
                yield tuple(first), size
                items = _delimited_items(records, len(first))
                if not options.header:
                    items = chain([(number, 0, first)], items)
        yield from _chunks(items, lambda: _position(text))


def _chunks(items: Iterable[_Item], position: Callable[[], int]) -> Iterator[Chunk]:
    numbers: list[int] = []
    rows: list[Row] = []
    faults: list[Fault] = []
    characters = 0
    for number, size, row in items:
        if isinstance(row, Fault):
            faults.append(row)
        else:
            numbers.append(number)
            rows.append(row)
            characters += size
        if len(rows) + len(faults) >= CHUNK_ROWS or characters >= CHUNK_CHARACTERS:
            yield Chunk(numbers, rows, faults, position())
            numbers, rows, faults, characters = [], [], [], 0
    if rows or faults:
        yield Chunk(numbers, rows, faults, position())


def _line_items(text: Iterable[str]) -> Iterator[_Item]:
    for number, line in enumerate(text, start=1):
        yield number, len(line), [line.rstrip("\r\n")]


def _json_items(path: Path, text: Iterable[str]) -> Iterator[_Item]:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, 0, Fault(number, "json", f"no JSON: {error}")
            continue
        if not isinstance(record, dict):
            record = Fault(number, "json", "no JSON object")
        yield number, len(line), record


def _until_first_object(path: Path, items: Iterator[_Item]) -> tuple[list[_Item], tuple[str, ...]]:
    """Return the items up to the first object, and its keys."""
    held: list[_Item] = []
    for item in items:
        held.append(item)
        if isinstance(item[2], dict):
            return held, tuple(item[2])
    if not held:
        raise DataError(f"{path} holds nothing but empty lines. Give a file with texts.")
    fault = held[0][2]
    assert isinstance(fault, Fault)
    raise DataError(
        f"{path}: row {fault.row:,}: {fault.detail}; one JSON object a line is expected."
    )


def _first_record(
    path: Path, records: Iterator[tuple[int, tuple[list[str] | str, int]]]
) -> tuple[int, list[str]]:
    """Return number and cells of the first row with something in it."""
    for number, (record, _) in records:
        if isinstance(record, str):
            raise DataError(f"{path}: row {number:,}, the first one: {record}. Correct it.")
        if len(record) > 1 or (record and record[0].strip()):
            return number, record
    raise DataError(f"{path} holds nothing but empty lines. Give a file with texts.")


def _delimited_items(
    records: Iterator[tuple[int, tuple[list[str] | str, int]]], width: int
) -> Iterator[_Item]:
    for number, (record, _) in records:
        if isinstance(record, str):
            yield number, 0, Fault(number, "columns", record)
        elif len(record) == width:
            yield number, sum(map(len, record)), record
        elif not record and width == 1:
            yield number, 0, [""]
        elif len(record) > 1 or (record and record[0].strip()):
            lines = 1 + sum(cell.count("\n") for cell in record)
            detail = f"{counted(len(record), 'column')} instead of {width}"
            if lines > 1:
                detail += f", over {lines:,} lines (a quotation mark too many or too few?)"
            yield number, 0, Fault(number, "columns", detail)


def _records(text: Iterable[str], separator: str) -> Iterator[tuple[list[str] | str, int]]:
    """Yield rows, or what is wrong with them, and the lines, from 1, on which they begin.

    An empty line is a row without cells. After a row that breaks, the next line is read.
    """
    reader = csv.reader(text, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield next(reader), line
        except StopIteration:
            return
        except csv.Error as error:
            lines = reader.line_num - line + 1
            if "unexpected end" in str(error):
                yield f"a quotation mark is never closed and takes in {lines:,} lines", line
            elif "field limit" in str(error):
                yield f"a cell of more than {LARGEST_CELL:,} characters, over {lines:,} lines", line
            else:
                yield "there is text after a closing quotation mark (inside a cell write two)", line


@contextmanager
def _large_cells() -> Iterator[None]:
    """Lift Python's limit of 131,072 characters per cell: reviews may be longer."""
    limit = csv.field_size_limit(LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _position(text: io.TextIOWrapper) -> int:
    """Return how many bytes of the file have been read; of a ZIP archive those unpacked."""
    binary: Any = text.buffer
    file: Any = binary.fileobj if isinstance(binary, gzip.GzipFile) else binary
    return file.tell()


def _unpacked_size(path: Path) -> int:
    """Return what `_position` is at the end."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    return path.stat().st_size


# --------------------------------------------------------------------------------------- Parquet


def _parquet(path: Path) -> Iterator[Any]:
    """Yield `Table.first` and `Table.size`, which counts rows, then chunks."""
    with naming(path), path.open("rb") as file:
        if (start := file.read(4)) != b"PAR1":
            what = "empty" if not start else "not a Parquet file, whatever its name says"
            raise DataError(f"{path} is {what}. Get it again, or name it after its format.")
    with _naming_damage(path):
        from pyarrow import parquet

        file = parquet.ParquetFile(path)
        # The names of the rows, which pandas stores like a column, are none.
        index = re.compile(r"__index_level_\d+__")
        names = file.schema_arrow.names
        places = [place for place, name in enumerate(names) if not index.fullmatch(name)]
        yield tuple(names[place] for place in places), file.metadata.num_rows
        done = 0
        for batch in file.iter_batches(batch_size=CHUNK_ROWS):
            columns = [batch.column(place).to_pylist() for place in places]
            rows: list[Row] = list(zip(*columns, strict=True))
            numbers = range(done + 1, done + len(rows) + 1)
            done += len(rows)
            yield Chunk(numbers, rows, [], done)


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Turn what pyarrow says about a file into a DataError."""
    try:
        yield
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # damage shows as any of a dozen types without a common base
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(f"{path} cannot be read as Parquet: {reason}") from None
