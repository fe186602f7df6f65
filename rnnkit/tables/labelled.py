"""Labelled texts: read from files with the rows that cannot be used, and kept in the cache."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.cache import ArrayWriter, Entry
from rnnkit.data.files import UNDECODED
from rnnkit.data.splits import counted
from rnnkit.errors import DataError
from rnnkit.tables.layouts import (
    LabelledChunk,
    Layout,
    describe_row,
    find_layout_files,
    read_layout,
    shorten,
)
from rnnkit.tables.read import Fault, FaultKind, unreadable

_CHUNK_TEXTS = 20_000
_SHOWN_LABELS = 8
_MOST_CLASSES = 1000

# U+FFFD, and UTF-8 that was read as latin-1 or cp1252: C3 A9 becomes "Ã©", E2 80 99 "â€™".
_TRAILING = (
    "[\x80-\xbf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018"
    "\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
)
_MOJIBAKE = re.compile(
    f"\ufffd|[\xc2\xc3]{_TRAILING}|\xe2{_TRAILING}{_TRAILING}|\xf0\u0178|\xf0\x9f"
)

FAULTS: Mapping[FaultKind, str] = {
    "columns": "with too many or too few columns",
    "header": "that repeat the header",
    "json": "that are no JSON objects",
    "text": "without a text",
    "label": "without a label",
    "unmapped": "with a label outside data.labels",
    "bytes": "with bytes that are not in data.encoding",
}
"""Ends of the sentence `5 rows ..` for each kind of fault."""

_HEADERS = {
    "table": ". If the first row is a header, set data.layout.header: true",
    "sentiment140": ". If the first row is a header, this is not the original file: set "
    "data.layout: {kind: table, label: 0, text: 5}",
    "files": "",
    "folders": "",
}
"""What may help by layout where row 1 alone has an unknown label."""


@dataclass(frozen=True)
class ReadingStats:
    """Rows read and rows left out.

    `read` have text and label; `dropped` counts rows that could not be used, by kind of fault;
    `duplicates` are copies of a text with the same label, `contradictory` rows of equal texts with
    different labels, `shared_with_test` rows whose text is in the test files too.
    """

    read: int
    dropped: Mapping[str, int]
    duplicates: int = 0
    contradictory: int = 0
    shared_with_test: int = 0


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts as in their files and their classes, in the order of the files."""

    texts: Sequence[str]
    labels: NDArray[np.int32]
    """int32[texts]: indices into `classes`."""
    rows: NDArray[np.int64]
    """int64[texts]: row in its file, from 1, as in `tables/read.py`; the line in a file of one
    class, 1 in a folder of texts."""
    file_numbers: NDArray[np.int32]
    """int32[texts]: indices into `files`."""
    files: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    stats: ReadingStats

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, index: int) -> str:
        """Return where a text comes from: `tweets.csv: row 17`."""
        return f"{self.files[self.file_numbers[index]]}: row {self.rows[index]:,}"

    def select(self, indices: NDArray[np.int64]) -> "LabelledTexts":
        """Return the texts at `indices`: int64[n], in that order."""
        return replace(
            self,
            texts=[self.texts[index] for index in indices.tolist()],
            labels=self.labels[indices],
            rows=self.rows[indices],
            file_numbers=self.file_numbers[indices],
        )


@dataclass(frozen=True)
class LabelledSource:
    """How labelled texts are read.

    `labels` maps a label of the data to the name of its class, in the order of the classes; None
    takes the labels themselves. `drop_bad_rows` counts rows that cannot be used instead of ending
    with an error.
    """

    layout: Layout
    encoding: str = "utf-8"
    labels: Mapping[str, str] | None = None
    drop_bad_rows: bool = False


def read_labelled(patterns: Sequence[str], source: LabelledSource) -> LabelledTexts:
    """Read the texts of files, paths or glob patterns, in their order.

    Raises:
        DataError: files cannot be read, or rows cannot be used and are not dropped.
    """
    files, notes = find_layout_files(patterns, source.layout)
    reading = _Reading(source, files)
    for chunk in read_layout(files, source.layout, encoding=source.encoding):
        reading.add(chunk)
    if reading.faults and not source.drop_bad_rows:
        raise reading.refusal()
    if not reading.texts:
        raise DataError(
            f"{_listed(files)}: there is no row with a text and a label that can be used. "
            + " ".join(reading.describe_faults())
        )
    labels, names = reading.classes()
    return LabelledTexts(
        texts=reading.texts,
        labels=labels,
        rows=np.concatenate(reading.rows),
        file_numbers=np.concatenate(reading.file_numbers),
        files=tuple(map(str, files)),
        classes=names,
        notes=(*notes, *reading.describe_faults(), *reading.describe_mojibake()),
        stats=ReadingStats(
            read=len(reading.texts),
            dropped={kind: found.rows for kind, found in reading.faults.items()},
        ),
    )


@dataclass
class _Found:
    """A kind of fault: its first row and the number of rows that have it."""

    path: Path
    first: Fault
    rows: int = 0


@dataclass
class _Reading:
    """Texts and faults read so far."""

    source: LabelledSource
    files: Sequence[Path]
    texts: list[str] = field(default_factory=list)
    codes: list[NDArray[np.int32]] = field(default_factory=list)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    file_numbers: list[NDArray[np.int32]] = field(default_factory=list)
    faults: dict[FaultKind, _Found] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    mojibake: tuple[Path, int, str] | None = None
    mojibake_rows: int = 0

    def __post_init__(self) -> None:
        self._numbers = {path: number for number, path in enumerate(self.files)}
        self._codes: dict[str, int] = {}
        if self.source.labels is not None:
            names = list(dict.fromkeys(self.source.labels.values()))
            self._codes = {label: names.index(name) for label, name in self.source.labels.items()}

    def add(self, chunk: LabelledChunk) -> None:
        for fault in chunk.faults:
            self._note(chunk.path, fault)
        # Two of the checks look at all texts of a chunk at once, which is what makes millions of
        # rows quick.
        known, codes = self._codes, []
        for label in chunk.labels:
            name = label.strip() if label else ""
            code = known.get(name, -1)
            if code < 0 and name and self.source.labels is None:
                code = known[name] = len(known)
            codes.append(code)
        rows, texts = chunk.rows, chunk.texts
        joined = "\n".join([text for text in texts if text])
        if (
            min(codes, default=0) < 0
            or not all(texts)
            or "\0" in joined
            or (not joined.isascii() and UNDECODED.search(joined))
        ):
            sound = [i for i in range(len(texts)) if self._is_sound(chunk, i, codes[i])]
            rows = [rows[i] for i in sound]
            texts = [texts[i] for i in sound]
            codes = [codes[i] for i in sound]
        if not joined.isascii() and _MOJIBAKE.search(joined):
            for row, text in zip(rows, texts, strict=True):
                if text and (match := _MOJIBAKE.search(text)):
                    self.mojibake_rows += 1
                    self.mojibake = self.mojibake or (chunk.path, row, match[0])
        self.texts.extend(text for text in texts if text)
        self.codes.append(np.array(codes, np.int32))
        self.rows.append(np.array(rows, np.int64))
        self.file_numbers.append(np.full(len(codes), self._numbers[chunk.path], np.int32))

    def _is_sound(self, chunk: LabelledChunk, index: int, code: int) -> bool:
        row, text, label = chunk.rows[index], chunk.texts[index], chunk.labels[index]
        name = label.strip() if label else ""
        if not text:
            fault = Fault(row, "text", "the text is missing")
        elif detail := unreadable(text, encoding=self.source.encoding):
            fault = Fault(row, "bytes", detail)
        elif not name:
            fault = Fault(row, "label", "there is no label")
        elif code < 0:
            self.unmapped[name] += 1
            known = ", ".join(map(repr, self.source.labels or ()))
            fault = Fault(row, "unmapped", f"the label {shorten(name)} is none of {known}")
        else:
            return True
        self._note(chunk.path, fault)
        return False

    def _place(self, path: Path, row: int) -> str:
        return describe_row(path, row, self.source.layout, encoding=self.source.encoding)

    def _note(self, path: Path, fault: Fault) -> None:
        found = self.faults.setdefault(fault.kind, _Found(path, fault))
        found.rows += 1

    def classes(self) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """Return int32[texts] and the names that these are the indices of."""
        codes = np.concatenate(self.codes)
        if self.source.labels is not None:
            return codes, tuple(dict.fromkeys(self.source.labels.values()))
        labels = list(self._codes)
        try:  # numbers by their value, anything else by its text
            values = [float(label) for label in labels]
        except ValueError:
            values = [0.0] * len(labels)
        order = sorted(range(len(labels)), key=lambda code: (values[code], labels[code]))
        if len(labels) > _MOST_CLASSES or (len(labels) > 10 and 2 * len(labels) > len(codes)):
            raise DataError(
                f"{_listed(self.files)}: there are {len(labels):,} different labels in "
                f"{len(codes):,} rows, such as {', '.join(map(shorten, labels[:3]))}. This does "
                "not look like classes: check which column is the label (data.layout.label)."
            )
        new = np.empty(len(labels), np.int32)
        new[order] = np.arange(len(labels), dtype=np.int32)
        return new[codes], tuple(labels[code] for code in order)

    def refusal(self) -> DataError:
        """Return the error for rows that cannot be used, one line for each kind of fault."""
        lines = []
        for kind, found in self.faults.items():
            line = f"{self._place(found.path, found.first.row)}: {found.first.detail}"
            if found.rows > 1:
                line += f"; {found.rows:,} rows {FAULTS[kind]}"
            if kind == "unmapped":
                common = self.unmapped.most_common(_SHOWN_LABELS)
                listed = ", ".join(
                    f"{shorten(label)} in {counted(rows, 'row')}" for label, rows in common
                )
                more = len(self.unmapped) - len(common)
                others = f" and {more:,} other labels" if more > 0 else ""
                line += f". Labels that data.labels does not have: {listed}{others}"
                if found.first.row == 1 and next(iter(self.unmapped.values())) <= len(self.files):
                    line += _HEADERS[self.source.layout.kind]
            lines.append(line)
        end = "Correct them, or leave such rows out with data.bad_rows: drop"
        if len(lines) == 1:
            return DataError(f"{lines[0].removesuffix('.')}. {end}")
        return DataError("\n".join(["There are rows that cannot be used:", *lines, f"{end}"]))

    def describe_faults(self) -> list[str]:
        """Return a note about the rows that were dropped."""
        lines = []
        for kind, found in self.faults.items():
            place = self._place(found.path, found.first.row)
            line = f"{found.rows:,} {FAULTS[kind]} (first: {place})"
            if kind == "unmapped":
                common = self.unmapped.most_common(_SHOWN_LABELS)
                line += ": " + ", ".join(f"{shorten(label)} {rows:,}" for label, rows in common)
            lines.append(line)
        return [f"Rows left out: {'; '.join(lines)}."] if lines else []

    def describe_mojibake(self) -> list[str]:
        """Return a note about texts that were decoded wrongly at some time."""
        if not self.mojibake:
            return []
        path, row, shown = self.mojibake
        place = self._place(path, row)
        look = "text looks" if self.mojibake_rows == 1 else "texts look"
        return [
            f"{self.mojibake_rows:,} {look} as if decoded in a wrong encoding once ({shown!r}; "
            f"first: {place}). Is data.encoding: {self.source.encoding} right?"
        ]


def _listed(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    return ", ".join(map(str, files[:3])) + more


# ------------------------------------------------------------------------------------ in the cache


def write_array(write: ArrayWriter, name: str, array: NDArray[Any]) -> None:
    """Write a one-dimensional array in one piece."""
    write(name, [array], dtype=array.dtype, length=len(array))


def write_texts(write: ArrayWriter, groups: Sequence[LabelledTexts]) -> None:
    """Write texts as UTF-8 in one array of bytes, with the label, row and file of each."""
    lengths = [len(data) for group in groups for chunk in _utf8(group.texts) for data in chunk]
    ends = np.cumsum(np.array(lengths, np.int64))
    chunks = (b"".join(chunk) for group in groups for chunk in _utf8(group.texts))
    blob = (np.frombuffer(chunk, np.uint8) for chunk in chunks)
    write("texts", blob, dtype=np.dtype(np.uint8), length=sum(lengths))
    write_array(write, "text_offsets", np.concatenate([np.zeros(1, np.int64), ends]))
    write_array(write, "labels", np.concatenate([group.labels for group in groups]))
    write_array(write, "rows", np.concatenate([group.rows for group in groups]))
    first_files = np.cumsum([0, *(len(group.files) for group in groups)])
    numbers = [
        group.file_numbers + np.int32(first)
        for group, first in zip(groups, first_files, strict=False)
    ]
    write_array(write, "file_numbers", np.concatenate(numbers))


def _utf8(texts: Sequence[str]) -> Iterator[list[bytes]]:
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = texts[start : start + _CHUNK_TEXTS]
        yield [text.encode("utf-8", "surrogatepass") for text in chunk]


def read_texts_at(entry: Entry, indices: NDArray[np.int64]) -> LabelledTexts:
    """Decode the texts at `indices`: int64[n], of all that `write_texts` wrote.

    The document of the entry has `classes`, `files` (of all groups) and `stats` (as JSON).
    """
    blob, offsets = entry.arrays["texts"], entry.arrays["text_offsets"]
    starts, ends = offsets[indices].tolist(), offsets[indices + 1].tolist()
    return LabelledTexts(
        texts=[
            blob[start:end].tobytes().decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=True)
        ],
        labels=np.asarray(entry.arrays["labels"])[indices],
        rows=np.asarray(entry.arrays["rows"])[indices],
        file_numbers=np.asarray(entry.arrays["file_numbers"])[indices],
        files=tuple(entry.document["files"]),
        classes=tuple(entry.document["classes"]),
        notes=(),
        stats=ReadingStats(**json.loads(entry.document["stats"])),
    )
