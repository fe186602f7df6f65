"""Tables of labelled texts, read in chunks: CSV, TSV, JSON lines and Parquet.

A row has the number that a spreadsheet shows: the first row of the file, the header if there is
one, is row 1, and blank rows count. In JSON lines it is the line. A cell with line breaks makes
the line of an editor another one than the row of the spreadsheet; `line_of_row` finds it.

Everything is text: a tweet that says `NA`, `null` or `1e5` says just that. Only an empty cell is
missing.
"""

import csv
import difflib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from rnnkit.data.opening import bare_name, open_text
from rnnkit.data.sources import naming
from rnnkit.errors import DataError

CHUNK_ROWS = 50_000
_LARGEST_CELL = 2**31 - 1
_SHOWN_COLUMNS = 20
_SEPARATORS = ",;\t|"

FaultKind = Literal["columns", "header", "json", "text", "label", "unmapped", "bytes"]


@dataclass(frozen=True)
class Fault:
    """Why a row cannot be used. `detail` ends a sentence that begins with `row 17: `."""

    row: int
    kind: FaultKind
    detail: str


@dataclass(frozen=True, eq=False)
class TableChunk:
    """Consecutive rows of one file; those with a fault of form are in `faults` only."""

    path: Path
    rows: Sequence[int]
    """Row numbers, from 1."""
    texts: list[str | None]
    """None or "" where there is none."""
    labels: list[str | None]
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Columns:
    """Where text and label stand: names, or numbers from 0."""

    text: str | int
    label: str | int
    header: bool = True
    separator: str | None = None
    """Of CSV; None decides by the file's name."""
    width: int | None = None
    """Columns that there must be; None takes what the first row has."""


def read_table(path: Path, columns: Columns, *, encoding: str) -> Iterator[TableChunk]:
    """The rows of one file in their order.

    The format goes by the file's name without .gz or .zip: .jsonl, .ndjson, .parquet, .tsv; all
    others are CSV. Raises DataError for a file that cannot be read as that, or without one of
    the columns.
    """
    match Path(bare_name(path)).suffix.lower():
        case ".jsonl" | ".ndjson":
            return _read_json_lines(path, columns, encoding=encoding)
        case ".parquet":
            return _read_parquet(path, columns)
        case suffix:
            separator = columns.separator or ("\t" if suffix == ".tsv" else ",")
            return _read_delimited(path, columns, separator=separator, encoding=encoding)


def line_of_row(path: Path, row: int, columns: Columns, *, encoding: str) -> int:
    """The line of the file, from 1, on which `row` of a CSV or TSV file begins."""
    suffix = Path(bare_name(path)).suffix.lower()
    if suffix in (".jsonl", ".ndjson", ".parquet"):
        return row
    separator = columns.separator or ("\t" if suffix == ".tsv" else ",")
    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        reader = csv.reader(text, delimiter=separator)
        for _ in range(row - 1):
            if next(reader, None) is None:
                break
        return reader.line_num + 1


# ------------------------------------------------------------------------------- CSV and TSV


class _TooLong:
    """Stands in the first cell of a row with too many columns."""

    def __init__(self, cells: list[str]) -> None:
        self.columns = len(cells)
        self.lines = 1 + sum(cell.count("\n") for cell in cells)


def _read_delimited(
    path: Path, columns: Columns, *, separator: str, encoding: str
) -> Iterator[TableChunk]:
    first_row, names = _first_row(path, separator=separator, encoding=encoding)
    if columns.width is not None and len(names) != columns.width:
        raise DataError(
            f"{path}: row {first_row}: {_columns(len(names))} instead of {columns.width}. Is this "
            "the right data.layout?"
        )
    text_at, label_at = (
        _column_number(path, name, key, names, columns, separator=separator)
        for key, name in (("text", columns.text), ("label", columns.label))
    )
    row = 1
    for cells in _chunks_of_cells(path, len(names), separator=separator, encoding=encoding):
        rows = range(row, row + len(cells[0]))
        row = rows.stop
        texts, labels = cells[text_at], cells[label_at]
        if first_row in rows and columns.header:
            after = first_row - rows.start + 1
            cells = [column[after:] for column in cells]
            texts, labels, rows = texts[after:], labels[after:], rows[after:]
        header = (names[text_at], names[label_at]) if columns.header else None
        sound = None not in cells[-1] and not any(isinstance(cell, _TooLong) for cell in cells[0])
        if sound and (header is None or header[0] not in texts):
            yield TableChunk(path, rows, texts, labels)
        else:
            yield _chunk_with_faults(path, rows, cells, (text_at, label_at), header)


def _chunks_of_cells(
    path: Path, width: int, *, separator: str, encoding: str
) -> Iterator[list[list[Any]]]:
    """Columns of cells: str, None behind the end of a row that is too short."""
    import pandas as pd
    from pandas.errors import ParserError

    def stand_in(cells: list[str]) -> list[Any]:
        return [_TooLong(cells), *([None] * (width - 1))]

    on_bad_lines: Any = stand_in  # pandas declares a str, and documents a function

    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        try:
            # The Python engine is the one that tells short rows from empty cells, and hands over
            # the long ones.
            frames = pd.read_csv(
                text,
                sep=separator,
                header=None,
                names=range(width),
                index_col=False,
                dtype=object,
                na_filter=False,
                keep_default_na=False,
                skip_blank_lines=False,
                engine="python",
                on_bad_lines=on_bad_lines,
                chunksize=CHUNK_ROWS,
            )
            for frame in frames:
                yield [frame[number].tolist() for number in range(width)]
        except ParserError as error:
            raise DataError(f"{path} cannot be read as a table: {error}.") from None


def _chunk_with_faults(
    path: Path,
    rows: Sequence[int],
    cells: list[list[Any]],
    places: tuple[int, int],
    header: tuple[str, str] | None,
) -> TableChunk:
    """Sort the rows into sound ones, blank ones, which are passed over, and faults."""
    text_at, label_at = places
    width = len(cells)
    chunk = TableChunk(path, numbers := [], texts := [], labels := [])
    for row, values in zip(rows, zip(*cells, strict=True), strict=True):
        first = values[0]
        if isinstance(first, _TooLong):
            detail = f"{_columns(first.columns)} instead of {width}"
            chunk.faults.append(Fault(row, "columns", detail + _about_lines(first.lines)))
        elif values[-1] is None:
            found = values.index(None)
            if found == 0 or (found == 1 and not first.strip()):
                continue
            lines = 1 + sum(value.count("\n") for value in values[:found])
            detail = f"{_columns(found)} instead of {width}"
            chunk.faults.append(Fault(row, "columns", detail + _about_lines(lines)))
        elif header is not None and (values[text_at], values[label_at]) == header:
            chunk.faults.append(Fault(row, "header", "the header once more"))
        else:
            numbers.append(row)
            texts.append(values[text_at])
            labels.append(values[label_at])
    return chunk


def _about_lines(lines: int) -> str:
    if lines == 1:
        return ""
    return f", over {lines:,} lines (a quotation mark too many or too few?)"


def _columns(number: int) -> str:
    return f"{number:,} column" + ("" if number == 1 else "s")


def _first_row(path: Path, *, separator: str, encoding: str) -> tuple[int, list[str]]:
    """Number and cells of the first row that is not blank."""
    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        try:
            for number, cells in zip(count(1), csv.reader(text, delimiter=separator), strict=False):
                if len(cells) > 1 or (cells and cells[0].strip()):
                    return number, cells
        except csv.Error as error:
            raise DataError(f"{path} cannot be read as a table: {error}.") from None
    raise DataError(f"{path} holds nothing but blank lines. Give a file with labelled texts.")


@contextmanager
def _any_size_of_cells() -> Iterator[None]:
    """Lift Python's limit of 131,072 characters per cell: reviews may be longer."""
    limit = csv.field_size_limit(_LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _column_number(
    path: Path,
    name: str | int,
    key: str,
    names: list[str],
    columns: Columns,
    *,
    separator: str,
) -> int:
    if isinstance(name, int):
        if name < len(names):
            return name
        raise DataError(
            f"{path}: there is no column {name}: the first row has {_columns(len(names))}, "
            f"numbered from 0. Set data.layout.{key}.{_about_separator(names, separator)}"
        )
    if name in names:
        return names.index(name)
    raise _missing_column(
        path,
        name,
        key,
        names,
        hint=" If the file has no header, set data.layout.header: false and give the columns by "
        f"number.{_about_separator(names, separator)}",
    )


def _missing_column(
    path: Path, name: str, key: str, names: Sequence[str], *, hint: str = ""
) -> DataError:
    listed = ", ".join(map(_short, names[:_SHOWN_COLUMNS]))
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    lower = {other.strip().lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    return DataError(
        f"{path}: there is no column {name!r} (data.layout.{key}). The columns are: "
        f"{listed}{more}.{guess}{hint}"
    )


def _about_separator(names: list[str], separator: str) -> str:
    if len(names) > 1:
        return ""
    other = next((mark for mark in _SEPARATORS if mark != separator and mark in names[0]), None)
    if other is None:
        return ""
    shown = "a tab" if other == "\t" else repr(other)
    return f" The columns seem to be separated by {shown}: set data.layout.separator."


def _short(name: str) -> str:
    return repr(name if len(name) <= 40 else f"{name[:37]}...")


# ---------------------------------------------------------------------------------- JSON lines


def _read_json_lines(path: Path, columns: Columns, *, encoding: str) -> Iterator[TableChunk]:
    text_name, label_name = _names_only(path, columns)
    chunk = TableChunk(path, rows := [], texts := [], labels := [])
    checked = False
    with open_text(path, encoding=encoding) as lines:
        for row, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            record = _parse_record(line)
            if isinstance(record, str):
                chunk.faults.append(Fault(row, "json", record))
                continue
            if not checked:
                checked = True
                for key, name in (("text", text_name), ("label", label_name)):
                    if name not in record:
                        raise _missing_column(path, name, key, list(record))
            text, label = record.get(text_name), record.get(label_name)
            if isinstance(text, dict | list) or isinstance(label, dict | list):
                chunk.faults.append(Fault(row, "json", "text or label is a list or an object"))
                continue
            rows.append(row)
            texts.append(cell_text(text))
            labels.append(cell_text(label))
            if len(rows) == CHUNK_ROWS:
                yield chunk
                chunk = TableChunk(path, rows := [], texts := [], labels := [])
    yield chunk


def _parse_record(line: str) -> dict[str, Any] | str:
    """The object on a line, or what is wrong with it."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return record if isinstance(record, dict) else "no JSON object"


def _names_only(path: Path, columns: Columns) -> tuple[str, str]:
    if isinstance(columns.text, str) and isinstance(columns.label, str):
        return columns.text, columns.label
    raise DataError(
        f"{path}: JSON lines have names instead of numbered columns. Set data.layout.text and "
        "data.layout.label to names."
    )


# ------------------------------------------------------------------------------------- Parquet


def _read_parquet(path: Path, columns: Columns) -> Iterator[TableChunk]:
    import pandas as pd

    with naming(path), path.open("rb") as file:
        if (start := file.read(4)) != b"PAR1":
            what = "empty" if not start else "not a Parquet file, whatever its name says"
            raise DataError(f"{path} is {what}. Get it again, or name it after its format.")
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as Parquet: {reason}") from None
    names = [str(name) for name in frame.columns]
    text_at, label_at = (
        _column_number(path, name, key, names, columns, separator="")
        for key, name in (("text", columns.text), ("label", columns.label))
    )
    for start in range(0, len(frame), CHUNK_ROWS):
        part = frame.iloc[start : start + CHUNK_ROWS]
        yield TableChunk(
            path,
            range(start + 1, start + len(part) + 1),
            [cell_text(value) for value in part.iloc[:, text_at].tolist()],
            [cell_text(value) for value in part.iloc[:, label_at].tolist()],
        )


def cell_text(value: object) -> str | None:
    """A typed value as a CSV file would hold it: `4.0 -> "4"`, `True -> "true"`, NaN -> None."""
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
        case _:
            return None if str(value) in ("<NA>", "NaT") else str(value)
