"""Tables of labelled texts, read in chunks: CSV, TSV, JSON lines and Parquet.

A row has the number that a spreadsheet shows: the first row of the file, the header if there is
one, is row 1, and blank rows count. In JSON lines it is the line. A cell with line breaks makes
the line of an editor another one than the row of the spreadsheet; `line_of_row` finds it.

Everything is text: a tweet that says `NA`, `null` or `1e5` says just that. Only an empty cell is
missing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnnkit.data.opening import bare_name, open_text
from rnnkit.data.sources import naming
from rnnkit.errors import DataError
from rnnkit.tables.delimited import line_of_record, read_delimited
from rnnkit.tables.rows import (
    CHUNK_ROWS,
    Columns,
    Fault,
    TableChunk,
    cell_text,
    column_number,
    missing_column,
)


def read_table(path: Path, columns: Columns, *, encoding: str) -> Iterator[TableChunk]:
    """The rows of one file in their order.

    The format goes by the file's name without .gz or .zip: .jsonl, .ndjson, .parquet, .tsv; all
    others are CSV. Raises DataError for a file that cannot be read as that, or without one of
    the columns.
    """
    match _format(path):
        case ".jsonl" | ".ndjson":
            return _read_json_lines(path, columns, encoding=encoding)
        case ".parquet":
            return _read_parquet(path, columns)
        case _:
            separator = _separator(path, columns)
            return read_delimited(path, columns, separator=separator, encoding=encoding)


def line_of_row(path: Path, row: int, columns: Columns, *, encoding: str) -> int:
    """The line of the file, from 1, on which `row` begins; of Parquet, which has none, the row."""
    match _format(path):
        case ".jsonl" | ".ndjson" | ".parquet":
            return row
        case _:
            separator = _separator(path, columns)
            return line_of_record(path, row, separator=separator, encoding=encoding)


def _format(path: Path) -> str:
    return Path(bare_name(path)).suffix.lower()


def _separator(path: Path, columns: Columns) -> str:
    return columns.separator or ("\t" if _format(path) == ".tsv" else ",")


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
                        raise missing_column(path, name, key, list(record))
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
    with _naming_damage(path):
        frame = pd.read_parquet(path)
    names = [str(name) for name in frame.columns]
    text_at, label_at = (
        column_number(path, name, key, names, columns, separator="")
        for key, name in (("text", columns.text), ("label", columns.label))
    )
    for start in range(0, len(frame), CHUNK_ROWS):
        part = frame.iloc[start : start + CHUNK_ROWS]
        with _naming_damage(path):
            texts, labels = (part.iloc[:, place].tolist() for place in (text_at, label_at))
        yield TableChunk(
            path,
            range(start + 1, start + len(part) + 1),
            list(map(cell_text, texts)),
            list(map(cell_text, labels)),
        )


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Turn what pyarrow says about a file into a DataError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # damage shows as any of a dozen types without a common base
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(f"{path} cannot be read as Parquet: {reason}") from None
