"""Classes for texts: a few, a stream of lines, or the rows of a table of any length."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rnnkit.data.opening import UNDECODED
from rnnkit.errors import DataError
from rnnkit.inference.scores import softmax
from rnnkit.runs.directory import RunDirectory, verify_files
from rnnkit.tables.columns import Wording, describe_columns, find_column
from rnnkit.tables.layouts import SENTIMENT140_TEXT, describe_table_row
from rnnkit.tables.read import (
    Chunk,
    Fault,
    FaultKind,
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
from rnnkit.tables.write import WriteRow
from rnnkit.tasks.text_classification.classifier import Classifier, classify
from rnnkit.text.encoder import UNKNOWN
from rnnkit.views.formats import one_line

JsonObject = dict[str, Any]

PROBABILITY_DIGITS = 6

_WORDING = Wording(text="--column", header="--no-header", separator="--separator")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predicted classes of texts.

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


def prediction_line(
    classes: Sequence[str],
    label: int,
    probabilities: np.ndarray,
    *,
    text: str | None,
    every: bool = False,
) -> str:
    """Return `positive 0.97`, and the text where there are several.

    Args:
        classes: their names.
        label: index of the class.
        probabilities: float64[classes].
        text: None for a text that is alone.
        every: whether the probabilities of all classes are shown.
    """
    names = [one_line(name) for name in classes]
    line = names[label]
    if text is not None:
        from rnnkit.views.terminal import display_width  # a lone text is answered without it

        line += " " * (max(map(display_width, names)) - display_width(line))
    if every:
        pairs = zip(names, probabilities, strict=True)
        line += "  " + "  ".join(f"{name} {value:.2f}" for name, value in pairs)
    else:
        line += f" {probabilities[label]:.2f}"
    return line if text is None else f"{line}  {one_line(text)}".rstrip()


def prediction_document(
    classifier: Classifier, texts: Sequence[str], *, run: str, explained: bool = False
) -> JsonObject:
    """Return the predictions of texts as JSON values: what `rnnkit predict --json` prints."""
    from rnnkit.tasks.text_classification.explain import explain

    predictions = predict(classifier, texts)
    documents: list[JsonObject] = []
    for text, label, values, empty in zip(
        texts, predictions.labels, predictions.probabilities, predictions.empty, strict=True
    ):
        document: JsonObject = {
            "text": text,
            "label": classifier.classes[label],
            "probability": float(values[label]),
            "probabilities": dict(zip(classifier.classes, values.tolist(), strict=True)),
            "empty": bool(empty),
        }
        if explained:
            document["tokens"] = [
                {"token": effect.token, "change": effect.change, "known": effect.is_known}
                for effect in explain(classifier, text, label=int(label))
            ]
        documents.append(document)
    return {
        "run": run,
        "classes": list(classifier.classes),
        "temperature": classifier.decision.temperature,
        "threshold": classifier.decision.threshold,
        "predictions": documents,
    }


@dataclass
class Tally:
    """Counts of what was predicted: rows, rows without a token, rows of each class, and rows that
    were left out by kind of fault."""

    rows: int = 0
    empty: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    dropped: dict[FaultKind, int] = field(default_factory=dict)
    first_dropped: str = ""

    def add(self, predictions: Predictions, classes: Sequence[str]) -> None:
        """Count one more chunk."""
        self.rows += len(predictions.labels)
        self.empty += int(predictions.empty.sum())
        found = np.bincount(predictions.labels, minlength=len(classes))
        for name, count in zip(classes, found, strict=True):
            self.counts[name] = self.counts.get(name, 0) + int(count)


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
    from rnnkit.tasks.task import load_config
    from rnnkit.tasks.text_classification.config import (
        ClassificationConfig,
        FilesLayout,
        Sentiment140Layout,
        TableLayout,
    )

    verify_files(run, run.config)
    config = load_config(run.config)
    assert isinstance(config, ClassificationConfig)
    match config.data.layout:
        case TableLayout(text=text):
            pass
        case Sentiment140Layout():
            text = SENTIMENT140_TEXT
        case _:
            text = None
    return OwnData(
        text=text,
        has_lines=isinstance(config.data.layout, FilesLayout),
        drop_bad_rows=config.data.bad_rows == "drop",
    )


def open_input(path: Path, options: TableOptions, own: OwnData) -> Table:
    """Open a table to predict. A name that tells no format is read as in training: as lines where
    the run was trained on a file for each class, else as CSV.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist.")
    file_format = format_of(path) or ("lines" if own.has_lines else "csv")
    return read_table(path, file_format, options)


def write_predictions(
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


def predict_table(
    classifier: Classifier,
    table: Table,
    place: Place,
    *,
    write: WriteRow,
    drop_bad_rows: bool = False,
    after_chunk: Callable[[int], None] = lambda position: None,
) -> Tally:
    """Write every row of a table with its class, in constant memory.

    Args:
        classifier: of a run.
        table: that was opened; its chunks are used up.
        place: of the texts, as `text_place` returns it.
        write: writes a row.
        drop_bad_rows: leave rows that cannot be used out and count them.
        after_chunk: called with how much of `table.size` was read.

    Raises:
        DataError: a row cannot be used and is not dropped.
    """
    tally = Tally()
    for chunk in table.chunks:
        sound = _sound_chunk(table, chunk, place)
        if sound.faults:
            _note_faults(table, sound.faults, tally, drop=drop_bad_rows)
        if sound.rows:
            texts = [cell_text(cell_at(row, place)) or "" for row in sound.rows]
            write_predictions(
                classifier, sound.numbers, sound.rows, texts, write=write, tally=tally
            )
        after_chunk(chunk.position)
    return tally


def _sound_chunk(table: Table, chunk: Chunk, place: Place) -> Chunk:
    """Sort out rows with characters that cannot be read, and headers that are repeated."""
    header = list(table.columns) if table.columns and table.format in ("csv", "tsv") else None
    rows, numbers, faults = chunk.rows, chunk.numbers, chunk.faults
    joined = "".join([cell for row in rows for cell in _texts_of(row)])
    spoiled = "\0" in joined or (not joined.isascii() and UNDECODED.search(joined) is not None)
    typed = table.format in ("jsonl", "parquet")
    if not spoiled and not typed and (header is None or header not in rows):
        return chunk
    sound: list[tuple[int, Row]] = []
    found = list(faults)
    for number, row in zip(numbers, rows, strict=True):
        problems = (unreadable(cell, encoding=table.options.encoding) for cell in _texts_of(row))
        if header is not None and row == header:
            found.append(Fault(number, "header", "the header once more"))
        elif typed and isinstance(cell_at(row, place), dict | list):
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
        hint = ". If this is no header: --no-header, and the number"
    raise DataError(
        f"{table.path}: say with --column where the texts are; {describe_columns(table)}{hint}"
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
