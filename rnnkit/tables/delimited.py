"""CSV and TSV, in which any row may be out of shape.

pandas reads them. Where quotation marks are misplaced it stops; from there on the csv module goes
on, which is what pandas itself uses, so that one bad row does not take the others with it.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from rnnkit.data.opening import open_text
from rnnkit.errors import DataError
from rnnkit.tables.rows import (
    CHUNK_ROWS,
    Columns,
    Fault,
    TableChunk,
    column_number,
    count_columns,
)

_LARGEST_CELL = 2**31 - 1
_LOOK_AHEAD_ROWS = 5


@dataclass(frozen=True)
class _Misshapen:
    """Stands in the first cell of a row that is not as wide as the table, or no row at all."""

    detail: str


def read_delimited(
    path: Path, columns: Columns, *, separator: str, encoding: str
) -> Iterator[TableChunk]:
    """The rows of one CSV or TSV file; raises DataError as `read_table` does."""
    first_row, names, regular = _look_ahead(path, separator=separator, encoding=encoding)
    if columns.width is not None and len(names) != columns.width:
        raise DataError(
            f"{path}: row {first_row}: {count_columns(len(names))} instead of {columns.width}. Is "
            "this the right data.layout?"
        )
    text_at, label_at = (
        column_number(path, name, key, names, columns, separator=separator)
        for key, name in (("text", columns.text), ("label", columns.label))
    )
    row = 1
    read = _chunks_by_pandas if regular else _chunks_by_csv
    for cells in read(path, len(names), separator=separator, encoding=encoding):
        rows = range(row, row + len(cells[0]))
        row = rows.stop
        texts, labels = cells[text_at], cells[label_at]
        if first_row in rows and columns.header:
            after = first_row - rows.start + 1
            cells = [column[after:] for column in cells]
            texts, labels, rows = texts[after:], labels[after:], rows[after:]
        header = (names[text_at], names[label_at]) if columns.header else None
        sound = None not in cells[-1] and not any(isinstance(cell, _Misshapen) for cell in cells[0])
        if sound and (header is None or header[0] not in texts):
            yield TableChunk(path, rows, texts, labels)
        else:
            yield _chunk_with_faults(path, rows, cells, (text_at, label_at), header)


def line_of_record(path: Path, row: int, *, separator: str, encoding: str) -> int:
    """The line of the file, from 1, on which row `row`, from 1, begins."""
    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        for number, (_, line) in enumerate(_records(text, separator), start=1):
            if number == row:
                return line
    raise ValueError(f"{path} has no row {row}")


def _chunks_by_pandas(
    path: Path, width: int, *, separator: str, encoding: str
) -> Iterator[list[list[Any]]]:
    """Columns of cells: str, None behind the end of a row that is too short."""
    import pandas as pd
    from pandas.errors import ParserError

    def stand_in(cells: list[str]) -> list[Any]:
        return _too_long(cells, width)

    on_bad_lines: Any = stand_in  # pandas declares a str, and documents a function
    done = 0
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
                done += len(frame)
            return
        except (ParserError, csv.Error):
            pass
    # Quotation marks that are misplaced end pandas; here the rows after them are read too.
    yield from _chunks_by_csv(path, width, separator=separator, encoding=encoding, skip=done)


def _chunks_by_csv(
    path: Path, width: int, *, separator: str, encoding: str, skip: int = 0
) -> Iterator[list[list[Any]]]:
    """What `_chunks_by_pandas` gives, from row `skip` on (from 0), in which any row may break."""
    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        records = islice(_records(text, separator), skip, None)
        while taken := list(islice(records, CHUNK_ROWS)):
            rows = [_fit(record, width) for record, _ in taken]
            yield [list(column) for column in zip(*rows, strict=True)]


def _fit(record: list[str] | _Misshapen, width: int) -> list[Any]:
    if isinstance(record, _Misshapen):
        return [record, *([None] * (width - 1))]
    if len(record) > width:
        return _too_long(record, width)
    return [*record, *([None] * (width - len(record)))]


def _too_long(cells: list[str], width: int) -> list[Any]:
    detail = f"{count_columns(len(cells))} instead of {width}{_about_lines(cells)}"
    return _fit(_Misshapen(detail), width)


def _records(text: Iterable[str], separator: str) -> Iterator[tuple[list[str] | _Misshapen, int]]:
    """Rows with the lines, from 1, on which they begin. A blank line is a row without cells.

    After a row that breaks, reading goes on in the next line.
    """
    reader = csv.reader(text, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield next(reader), line
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                lines = reader.line_num - line + 1
                detail = f"a quotation mark is never closed and takes in {lines:,} lines"
            else:
                detail = "text stands behind a closing quotation mark (inside a cell write two)"
            yield _Misshapen(detail), line


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
        if isinstance(first, _Misshapen):
            chunk.faults.append(Fault(row, "columns", first.detail))
        elif values[-1] is None:
            found = values.index(None)
            if found == 0 or (found == 1 and not first.strip()):
                continue
            detail = f"{count_columns(found)} instead of {width}{_about_lines(values[:found])}"
            chunk.faults.append(Fault(row, "columns", detail))
        elif header is not None and (values[text_at], values[label_at]) == header:
            chunk.faults.append(Fault(row, "header", "the header once more"))
        else:
            numbers.append(row)
            texts.append(values[text_at])
            labels.append(values[label_at])
    return chunk


def _about_lines(cells: Sequence[str]) -> str:
    lines = 1 + sum(cell.count("\n") for cell in cells)
    if lines == 1:
        return ""
    return f", over {lines:,} lines (a quotation mark too many or too few?)"


def _look_ahead(path: Path, *, separator: str, encoding: str) -> tuple[int, list[str], bool]:
    """Number and cells of the first row that is not blank, and whether the rows near it hold.

    pandas passes over rows that break where it looks for the number of columns.
    """
    with open_text(path, encoding=encoding) as text, _any_size_of_cells():
        records = (record for record, _ in _records(text, separator))
        for row, record in enumerate(records, start=1):
            if isinstance(record, _Misshapen):
                raise DataError(f"{path}: row {row:,}, the first one: {record.detail}. Correct it.")
            if len(record) > 1 or (record and record[0].strip()):
                after = islice(records, _LOOK_AHEAD_ROWS)
                return row, record, not any(isinstance(other, _Misshapen) for other in after)
    raise DataError(f"{path} holds nothing but blank lines. Give a file with labelled texts.")


@contextmanager
def _any_size_of_cells() -> Iterator[None]:
    """Lift Python's limit of 131,072 characters per cell: reviews may be longer."""
    limit = csv.field_size_limit(_LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
