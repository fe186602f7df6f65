"""Reading labelled texts: classes, and rows that cannot be used."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import numpy as np
from numpy.typing import NDArray

from rnnkit.data.opening import UNDECODED, describe_undecoded
from rnnkit.errors import DataError
from rnnkit.tables.labelled import LabelledTexts, ReadingFacts, drop_equal_texts
from rnnkit.tables.layouts import describe_row, read_layout
from rnnkit.tables.rows import Fault, FaultKind, TableChunk

if TYPE_CHECKING:
    from rnnkit.tasks.text_classification.config import (
        ClassificationConfig,
        ClassificationDataConfig,
        Layout,
    )

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
"""What `rows ...` with each kind of fault are."""


def read_texts(
    config: "ClassificationConfig", *, test: bool = False, classes: Sequence[str] | None = None
) -> LabelledTexts:
    """The texts of `data.path`, or with `test` those of `data.test_path`.

    Equal texts are dropped from `data.path` as `data.deduplicate` says. Test files are taken as
    they are, so that scores on them compare with those of others; `classes` are those of the
    training files then, needed where `data.labels` does not name them.

    Raises DataError for files that cannot be read, and for rows that cannot be used unless
    `data.bad_rows` drops them.
    """
    data = config.data
    if test:
        if data.test_path is None:
            raise DataError("There are no test files: data.test_path is not set.")
        return _read(_patterns(data.test_path), data, classes)
    texts = _read(_patterns(data.path), data, classes)
    return drop_equal_texts(texts) if data.deduplicate else texts


def read_any_texts(
    paths: Sequence[str], config: "ClassificationConfig", *, classes: Sequence[str] | None = None
) -> LabelledTexts:
    """The texts of other files in the layout and with the labels of `config`, all of them.

    `classes` are those of the trained model. Raises DataError as `read_texts` does.
    """
    return _read(paths, config.data, classes)


def _patterns(path: str | Sequence[str]) -> Sequence[str]:
    return (path,) if isinstance(path, str) else path


def _read(
    patterns: Sequence[str], data: "ClassificationDataConfig", classes: Sequence[str] | None
) -> LabelledTexts:
    files, chunks, notes = read_layout(patterns, data.layout, encoding=data.encoding)
    mapping = data.labels
    if mapping is None and classes is not None:
        mapping = {name: name for name in classes}
    reading = _Reading(mapping, files, data.encoding, data.layout)
    for chunk in chunks:
        reading.add(chunk)
    if reading.faults and data.bad_rows == "error":
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
        facts=ReadingFacts(
            read=len(reading.texts),
            dropped={kind: found.rows for kind, found in reading.faults.items()},
        ),
    )


@dataclass
class _Found:
    """How many rows have a fault, and which was the first."""

    path: Path
    first: Fault
    rows: int = 0


@dataclass
class _Reading:
    """What has been read so far."""

    mapping: Mapping[str, str] | None
    files: Sequence[Path]
    encoding: str
    layout: "Layout"
    texts: list[str] = field(default_factory=list)
    codes: list[NDArray[np.int32]] = field(default_factory=list)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    file_numbers: list[NDArray[np.int32]] = field(default_factory=list)
    faults: dict[FaultKind, _Found] = field(default_factory=dict)
    unmapped: Counter[str] = field(default_factory=Counter)
    mojibake: list[tuple[Path, int, str]] = field(default_factory=list)
    mojibake_rows: int = 0

    def __post_init__(self) -> None:
        self._numbers = {path: number for number, path in enumerate(self.files)}
        self._codes: dict[str, int] = {}
        if self.mapping is not None:
            names = list(dict.fromkeys(self.mapping.values()))
            self._codes = {label: names.index(name) for label, name in self.mapping.items()}

    def add(self, chunk: TableChunk) -> None:
        for fault in chunk.faults:
            self._note(chunk.path, fault)
        # Two of the checks look at all texts of a chunk at once, which is what makes millions of
        # rows quick.
        known, codes = self._codes, []
        for label in chunk.labels:
            name = label.strip() if label else ""
            code = known.get(name, -1)
            if code < 0 and name and self.mapping is None:
                code = known[name] = len(known)
            codes.append(code)
        rows, texts = chunk.rows, chunk.texts
        joined = "\n".join([text for text in texts if text])
        if (
            min(codes, default=0) < 0
            or not all(texts)
            or (not joined.isascii() and UNDECODED.search(joined))
        ):
            sound = [i for i in range(len(texts)) if self._is_sound(chunk, i, codes[i])]
            rows = [rows[i] for i in sound]
            texts = [texts[i] for i in sound]
            codes = [codes[i] for i in sound]
        if not joined.isascii() and _MOJIBAKE.search(joined):
            self._note_mojibake(chunk.path, rows, texts)
        self.texts.extend(text for text in texts if text)
        self.codes.append(np.array(codes, np.int32))
        self.rows.append(np.array(rows, np.int64))
        self.file_numbers.append(np.full(len(codes), self._numbers[chunk.path], np.int32))

    def _is_sound(self, chunk: TableChunk, index: int, code: int) -> bool:
        row, text, label = chunk.rows[index], chunk.texts[index], chunk.labels[index]
        if not text:
            self._note(chunk.path, Fault(row, "text", "there is no text"))
        elif UNDECODED.search(text):
            detail = describe_undecoded(text, encoding=self.encoding)
            self._note(chunk.path, Fault(row, "bytes", detail))
        elif not label or not label.strip():
            self._note(chunk.path, Fault(row, "label", "there is no label"))
        elif code < 0:
            name = label.strip()
            self.unmapped[name] += 1
            known = ", ".join(map(repr, self.mapping or ()))
            detail = f"the label {_short(name)} is none of {known}"
            self._note(chunk.path, Fault(row, "unmapped", detail))
        else:
            return True
        return False

    def _note(self, path: Path, fault: Fault) -> None:
        found = self.faults.setdefault(fault.kind, _Found(path, fault))
        found.rows += 1

    def _note_mojibake(self, path: Path, rows: Sequence[int], texts: Iterable[str | None]) -> None:
        for row, text in zip(rows, texts, strict=True):
            if text and (match := _MOJIBAKE.search(text)):
                self.mojibake_rows += 1
                if not self.mojibake:
                    self.mojibake.append((path, row, match[0]))

    def classes(self) -> tuple[NDArray[np.int32], tuple[str, ...]]:
        """int32[texts] and the names that these are the indices of."""
        codes = np.concatenate(self.codes)
        if self.mapping is not None:
            return codes, tuple(dict.fromkeys(self.mapping.values()))
        labels = list(self._codes)
        order = sorted(range(len(labels)), key=_sort_key(labels))
        if len(labels) > _MOST_CLASSES or (len(labels) > 10 and 2 * len(labels) > len(codes)):
            raise DataError(
                f"{_listed(self.files)}: there are {len(labels):,} different labels in "
                f"{len(codes):,} rows, such as {', '.join(map(_short, labels[:3]))}. This does not "
                "look like classes: check which column is the label (data.layout.label)."
            )
        new = np.empty(len(labels), np.int32)
        new[order] = np.arange(len(labels), dtype=np.int32)
        return new[codes], tuple(labels[code] for code in order)

    def refusal(self) -> DataError:
        """The error for rows that cannot be used: one line for each kind of fault."""
        lines = []
        for kind, found in self.faults.items():
            place = describe_row(found.path, found.first.row, self.layout, encoding=self.encoding)
            line = f"{place}: {found.first.detail}"
            if found.rows > 1:
                line += f"; {found.rows:,} rows {FAULTS[kind]}"
            if kind == "unmapped":
                line += f". {self._list_unmapped()}{self._about_header(found)}"
            lines.append(line)
        end = "Correct them, or leave such rows out with data.bad_rows: drop"
        if len(lines) == 1:
            return DataError(f"{lines[0].removesuffix('.')}. {end}")
        return DataError("\n".join(["There are rows that cannot be used:", *lines, f"{end}"]))

    def _list_unmapped(self) -> str:
        common = self.unmapped.most_common(_SHOWN_LABELS)
        listed = ", ".join(f"{_short(label)} in {_rows(rows)}" for label, rows in common)
        more = len(self.unmapped) - len(common)
        more_text = f" and {more:,} other labels" if more > 0 else ""
        return f"Labels that data.labels does not have: {listed}{more_text}"

    def _about_header(self, found: _Found) -> str:
        alone = self.unmapped[next(iter(self.unmapped))] <= len(self.files)
        if found.first.row != 1 or not alone:
            return ""
        match self.layout.kind:
            case "table":
                return ". If the first row is a header, set data.layout.header: true"
            case "sentiment140":
                return (
                    ". If the first row is a header, this is not the original file: set "
                    "data.layout: {kind: table, label: 0, text: 5}"
                )
            case "files" | "folders":
                return ""
            case _:
                assert_never(self.layout)

    def describe_faults(self) -> list[str]:
        """A note about the rows that were dropped."""
        if not self.faults:
            return []
        parts = []
        for kind, found in self.faults.items():
            place = describe_row(found.path, found.first.row, self.layout, encoding=self.encoding)
            part = f"{found.rows:,} {FAULTS[kind]} (first: {place})"
            if kind == "unmapped":
                common = self.unmapped.most_common(_SHOWN_LABELS)
                part += ": " + ", ".join(f"{_short(label)} {rows:,}" for label, rows in common)
            parts.append(part)
        return [f"Rows left out: {'; '.join(parts)}."]

    def describe_mojibake(self) -> list[str]:
        """A note about texts that were decoded wrongly at some time."""
        if not self.mojibake:
            return []
        path, row, shown = self.mojibake[0]
        place = describe_row(path, row, self.layout, encoding=self.encoding)
        return [
            f"{self.mojibake_rows:,} texts look as if their encoding was mistaken once ({shown!r}; "
            f"first: {place}). Is data.encoding: {self.encoding} right?"
        ]


def _sort_key(labels: Sequence[str]) -> Callable[[int], tuple[float, str]]:
    """Numbers by their value, anything else by its text."""
    try:
        values = [float(label) for label in labels]
    except ValueError:
        values = [0.0] * len(labels)
    return lambda code: (values[code], labels[code])


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _listed(files: Sequence[Path]) -> str:
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    return ", ".join(map(str, files[:3])) + more
