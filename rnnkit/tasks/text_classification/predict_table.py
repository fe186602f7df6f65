"""Classes for the rows of tables of any length, in constant memory."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np

from rnnkit.data.files import UNDECODED, naming
from rnnkit.errors import DataError
from rnnkit.runs.directory import RunDirectory
from rnnkit.tables.layouts import (
    SENTIMENT140_TEXT,
    Wording,
    describe_columns,
    describe_table_row,
    find_column,
)
from rnnkit.tables.read import (
    Chunk,
    Fault,
    Place,
    Row,
    Table,
    TableOptions,
    cell_at,
    cell_text,
    format_of,
    read_table,
    unreadable,
)
from rnnkit.tables.write import WriteRow, output_format, replacing, row_writer
from rnnkit.tasks.text_classification.classifier import Classifier, Progress
from rnnkit.tasks.text_classification.predict import Tally, predict

PROBABILITY_DIGITS = 6

_WORDING = Wording(text="--column", header="--no-header", separator="--separator")


@dataclass(frozen=True)
class OwnData:
    """How a run read its own data: the column of the texts (None where that was no table), whether
    a line is a text, and whether rows that cannot be used are left out."""

    text: str | int | None = None
    has_lines: bool = False
    drop_bad_rows: bool = False


def own_data(run: RunDirectory) -> OwnData:
    """Return how a run read its own data.

    Raises:
        RunError: the run's configuration is missing or damaged.
    """
    from rnnkit.tasks.task import config_of_run
    from rnnkit.tasks.text_classification.config import (
        ClassificationConfig,
    )

    config = config_of_run(run, ClassificationConfig)
    layout, drop_bad_rows = config.data.layout, config.data.bad_rows == "drop"
    match layout.kind:
        case "table":
            return OwnData(layout.text, drop_bad_rows=drop_bad_rows)
        case "sentiment140":
            return OwnData(SENTIMENT140_TEXT, drop_bad_rows=drop_bad_rows)
        case "files" | "folders":
            return OwnData(has_lines=layout.kind == "files", drop_bad_rows=drop_bad_rows)
        case _:
            assert_never(layout)


def predict_file(
    classifier: Classifier,
    source: Path,
    output: Path | None,
    *,
    own: OwnData,
    options: TableOptions,
    column: str | None = None,
    note: Callable[[str], None] = lambda line: None,
    progress: Progress = lambda done, total: None,
) -> Tally:
    """Write the rows of a table with the class of each, and the probabilities of all classes.

    Args:
        classifier: of a run.
        source: the table. A name that tells no format is read as in training: as lines where the
            run was trained on a file for each class, else as CSV.
        output: where they are written, whole or not at all; None prints CSV.
        own: how the run read its own data; bad rows are treated in the same way.
        options: how the table is written.
        column: of the texts, a name or a number from 0; see `text_place`.
        note: called with remarks before anything is predicted.
        progress: called with how much of the table was read, and of how much.

    Raises:
        DataError: the table cannot be read, lacks the column, or has a row that cannot be used.
        UsageError: the output cannot be written.
    """
    with naming(source):
        if not source.exists():
            raise DataError(f"{source} does not exist.")
        if source.is_dir():
            raise DataError(f"{source} is a folder. Give --input a table in it.")
    table = read_table(source, format_of(source) or ("lines" if own.has_lines else "csv"), options)
    place = text_place(table, column, own=own.text)
    added = added_columns(classifier.classes, table.columns or ())
    if added[0] != "label":
        note(f"The table has a column label already; {added[0]} is new.")
    if table.columns is None:
        note(f"The new columns at the end are {', '.join(added)}.")
    with ExitStack() as stack:
        stream = sys.stdout if output is None else stack.enter_context(replacing(output))
        kind = "csv" if output is None else output_format(output)
        write = row_writer(stream, kind, columns=table.columns, width=table.width, added=added)
        tally = Tally()
        for chunk in table.chunks:
            sound = _sound_chunk(table, chunk, place)
            if sound.faults:
                _note_faults(table, sound.faults, tally, drop=own.drop_bad_rows)
            if sound.rows:
                texts = [cell_text(cell_at(row, place)) or "" for row in sound.rows]
                _write(classifier, sound.numbers, sound.rows, texts, write=write, tally=tally)
            if output is None:
                stream.flush()
            progress(chunk.position, table.size)
    return tally


def predict_texts(classifier: Classifier, pieces: Iterable[list[str]], output: Path) -> Tally:
    """Write a table of texts, which come in pieces, with their classes.

    Raises:
        UsageError: the output cannot be written.
    """
    added = added_columns(classifier.classes, ["text"])
    tally = Tally()
    with replacing(output) as stream:
        kind = output_format(output)
        write = row_writer(stream, kind, columns=["text"], width=1, added=added)
        for texts in pieces:
            numbers = range(tally.rows + 1, tally.rows + len(texts) + 1)
            rows = [[text] for text in texts]
            _write(classifier, numbers, rows, texts, write=write, tally=tally)
    return tally


def _write(
    classifier: Classifier,
    numbers: Iterable[int],
    rows: Sequence[Row],
    texts: Sequence[str],
    *,
    write: WriteRow,
    tally: Tally,
) -> None:
    """Write rows with the class of their texts and the probabilities of all classes after them."""
    predictions = predict(classifier, texts)
    probabilities = np.round(predictions.probabilities, PROBABILITY_DIGITS).tolist()
    names = [classifier.classes[label] for label in predictions.labels]
    for number, row, name, values in zip(numbers, rows, names, probabilities, strict=True):
        write(number, row, [name, *values])
    tally.add(predictions, classifier.classes)


def _sound_chunk(table: Table, chunk: Chunk, place: Place) -> Chunk:
    """Sort out rows with characters that cannot be read, and headers that are repeated."""
    is_typed = table.format in ("jsonl", "parquet")
    header = list(table.columns) if table.columns and table.format in ("csv", "tsv") else None
    joined = "".join([cell for row in chunk.rows for cell in _texts_of(row)])
    spoiled = "\0" in joined or (not joined.isascii() and UNDECODED.search(joined) is not None)
    if not spoiled and not is_typed and (header is None or header not in chunk.rows):
        return chunk
    sound: list[tuple[int, Row]] = []
    found = list(chunk.faults)
    for number, row in zip(chunk.numbers, chunk.rows, strict=True):
        problems = (unreadable(cell, encoding=table.options.encoding) for cell in _texts_of(row))
        if header is not None and row == header:
            found.append(Fault(number, "header", "the header once more"))
        elif is_typed and isinstance(cell_at(row, place), dict | list):
            found.append(Fault(number, "json", "the text is a list or an object"))
        elif spoiled and (detail := next(filter(None, problems), None)):
            found.append(Fault(number, "bytes", detail))
        else:
            sound.append((number, row))
    found.sort(key=lambda fault: fault.row)
    return Chunk([number for number, _ in sound], [row for _, row in sound], found, chunk.position)


def _texts_of(row: Row) -> list[str]:
    cells = row.values() if isinstance(row, dict) else row
    return [cell for cell in cells if isinstance(cell, str)]


def _note_faults(table: Table, faults: Sequence[Fault], tally: Tally, *, drop: bool) -> None:
    first = faults[0]
    if not drop or not tally.first_dropped:
        where = describe_table_row(table.path, first.row, table.format, table.options)
        if not drop:
            hint = ""
            if first.kind == "columns":
                hint = " Is another separator used, or a quotation mark not closed?"
            raise DataError(f"{where}: {first.detail}. Correct it.{hint}")
        tally.first_dropped = where
    for fault in faults:
        tally.dropped[fault.kind] = tally.dropped.get(fault.kind, 0) + 1


def text_place(table: Table, asked: str | None, *, own: str | int | None) -> Place:
    """Return where the texts of a table are.

    `asked` is a column's name, or its number from 0. Without it the column called `text`, that of
    the run's `own` data, or the only one.

    Raises:
        DataError: the table has no such column; the message lists those it has.
    """
    names = table.columns or ()
    is_json = table.format == "jsonl"
    if asked is not None:
        is_number = asked.isascii() and asked.isdecimal() and asked not in names and not is_json
        wanted = int(asked) if is_number else asked
        return find_column(table, wanted, option=_WORDING.text, wording=_WORDING)
    for name in ("text", own):
        if isinstance(name, str) and names.count(name) == 1:
            return name if is_json else names.index(name)
    if table.width == 1:
        return table.first[0] if is_json else 0
    if table.columns is None and isinstance(own, int) and own < table.width:
        return own
    hint = ""
    if table.columns is not None and table.format in ("csv", "tsv"):
        hint = " If this is not a header: --no-header, and the number."
    raise DataError(
        f"{table.path}: say with --column where the texts are. {describe_columns(table)}.{hint}"
    )


def added_columns(classes: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Names of the new columns: `label`, `probability_<class>`.

    One that the table has already gets `predicted_` before it.
    """
    taken = set(columns)
    names = []
    for name in ["label", *(f"probability_{label}" for label in classes)]:
        while name in taken:
            name = f"predicted_{name}"
        names.append(name)
        taken.add(name)
    return names
