"""Classes for texts: a few, a stream of lines, or the rows of a table of any length."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from rnnkit.errors import DataError
from rnnkit.inference.scores import softmax
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tables.stream import Row, TableReader, cell_text
from rnnkit.tables.write import TableWriter
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.text.encoder import UNKNOWN

ROWS_AT_ONCE = 8192
CHARACTERS_AT_ONCE = 2**22
"""A chunk of a table ends with either of the two, so that memory does not grow with the table."""

PROBABILITY_DIGITS = 6

_COLUMNS_SHOWN = 20
_NAME_SHOWN = 40

SENTIMENT140_TEXT = 5
"""The column of texts in Sentiment140's own files, from 0."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier says of some texts.

    `labels` int64[texts] are indices of classes, `probabilities` float64[texts, classes], `empty`
    bool[texts] marks texts in which nothing could be read.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    empty: np.ndarray


def predict(classifier: Classifier, texts: Sequence[str]) -> Predictions:
    """Predict the class of every text; one without any token counts as one unknown token."""
    encoded = classifier.encoder.encode_many(texts)
    probabilities = softmax(classify(classifier, encoded), classifier.decision.temperature)
    empty = [
        ids == [UNKNOWN] and not classifier.encoder.tokenize(text)
        for ids, text in zip(encoded, texts, strict=True)
    ]
    return Predictions(
        labels=classifier.choose(probabilities),
        probabilities=probabilities,
        empty=np.array(empty, dtype=bool),
    )


@dataclass
class Tally:
    """What was predicted so far: rows in all, rows without a token, rows of each class."""

    rows: int = 0
    empty: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, predictions: Predictions, classes: Sequence[str]) -> None:
        """Count one more chunk."""
        self.rows += len(predictions.labels)
        self.empty += int(predictions.empty.sum())
        found = np.bincount(predictions.labels, minlength=len(classes))
        for name, count in zip(classes, found, strict=True):
            self.counts[name] = self.counts.get(name, 0) + int(count)


def label_rows(
    classifier: Classifier,
    rows: Iterable[Row],
    text_of: Callable[[Row], str],
    writer: TableWriter,
    *,
    after_chunk: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Write every row with its class and the probabilities of all classes after it.

    Memory stays the same however many rows there are.
    """
    tally = Tally()
    for chunk, texts in _chunks(rows, text_of):
        predictions = predict(classifier, texts)
        probabilities = np.round(predictions.probabilities, PROBABILITY_DIGITS).tolist()
        names = [classifier.classes[label] for label in predictions.labels]
        for row, name, shares in zip(chunk, names, probabilities, strict=True):
            writer.write(row, [name, *shares])
        tally.add(predictions, classifier.classes)
        after_chunk(tally)
    return tally


def _chunks(
    rows: Iterable[Row], text_of: Callable[[Row], str]
) -> Iterator[tuple[list[Row], list[str]]]:
    chunk: list[Row] = []
    texts: list[str] = []
    characters = 0
    for row in rows:
        text = text_of(row)
        chunk.append(row)
        texts.append(text)
        characters += len(text)
        if len(chunk) == ROWS_AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield chunk, texts
            chunk, texts, characters = [], [], 0
    if chunk:
        yield chunk, texts


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


def own_text_column(run: RunDirectory) -> str | int | None:
    """The column of texts in the data that the run was trained on; None if that was no table.

    Raises:
        RunError: the run's configuration is missing or damaged.
    """
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import (
        ClassificationConfig,
        Sentiment140Layout,
        TableLayout,
    )

    verify_files(run, run.config)
    config = load_config(run.config)
    assert isinstance(config, ClassificationConfig)
    match config.data.layout:
        case TableLayout(text=text):
            return text
        case Sentiment140Layout():
            return SENTIMENT140_TEXT
        case _:
            return None


def text_column(
    table: TableReader, asked: str | None, *, own: str | int | None
) -> Callable[[Row], str]:
    """How to get the text of a row.

    `asked` is a column's name, or its number from 0. Without it the column called `text`, that of
    the run's `own` data, or the only one.

    Raises:
        DataError: the table has no such column; the message lists those it has.
    """
    if table.kind == "jsonl":
        return _text_of_key(table, asked, own=own)
    index = _index(table, asked, own=own)

    def text_of(row: Row) -> str:
        assert isinstance(row.cells, list)
        return row.cells[index]

    return text_of


def _index(table: TableReader, asked: str | None, *, own: str | int | None) -> int:
    columns = table.columns
    names = list(columns or ())
    if asked is not None:
        if asked in names:
            if names.count(asked) > 1:
                raise DataError(
                    f"{table.path}: {names.count(asked)} columns are called {asked!r}; give the "
                    f"number of one: {_list(table)}"
                )
            return names.index(asked)
        if asked.isascii() and asked.isdecimal() and int(asked) < table.width:
            return int(asked)
        raise DataError(f"{table.path}: has no column {asked!r}; it has {_list(table)}")
    for name in ("text", own):
        if isinstance(name, str) and names.count(name) == 1:
            return names.index(name)
    if table.width == 1:
        return 0
    if columns is None and isinstance(own, int) and own < table.width:
        return own
    raise DataError(f"{table.path}: say with --column where the texts are; it has {_list(table)}")


def _text_of_key(
    table: TableReader, asked: str | None, *, own: str | int | None
) -> Callable[[Row], str]:
    keys = table.columns or ()
    if asked is None:
        key = next((name for name in ("text", own) if name in keys), None)
        if key is None and len(keys) == 1:
            key = keys[0]
        if not isinstance(key, str):
            raise DataError(
                f"{table.path}: say with --column where the texts are; the first row has "
                f"{_list(table)}"
            )
    elif asked in keys:
        key = asked
    else:
        raise DataError(f"{table.path}: the first row has no {asked!r}; it has {_list(table)}")

    def text_of(row: Row) -> str:
        assert isinstance(row.cells, dict)
        return cell_text(row.cells.get(key))

    return text_of


def _list(table: TableReader) -> str:
    if table.columns is None:
        return f"{table.width} columns without names, numbered from 0"
    names = [
        name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}..." for name in table.columns
    ]
    listed = ", ".join(repr(name) for name in names[:_COLUMNS_SHOWN])
    more = f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else ""
    hint = "" if table.kind == "jsonl" else ". If this is no header: --no-header, and the number"
    return f"the columns {listed}{more}{hint}"
