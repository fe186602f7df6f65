"""Texts with their classes, and what becomes of equal ones."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rnnkit.errors import DataError


@dataclass(frozen=True)
class ReadingFacts:
    """What reading met."""

    read: int
    """Rows with text and label, before equal texts were dropped."""
    dropped: Mapping[str, int]
    """Rows that could not be used, by kind of fault."""
    duplicates: int = 0
    """Copies dropped because the same text with the same label came before."""
    contradictory: int = 0
    """Rows dropped because the same text has different labels."""
    shared_with_test: int = 0
    """Rows dropped because the same text stands in the test files."""


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts and their classes, in the order of the files."""

    texts: list[str]
    """As they stand in the files."""
    labels: NDArray[np.int32]
    """int32[texts]: indices into `classes`."""
    rows: NDArray[np.int64]
    """int64[texts]: row in its file, from 1, as `data/tables.py` counts; the line in a file of
    one class, 1 in a folder of texts."""
    file_numbers: NDArray[np.int32]
    """int32[texts]: indices into `files`."""
    files: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    facts: ReadingFacts

    def __len__(self) -> int:
        return len(self.texts)

    def place(self, index: int) -> str:
        """Where a text comes from: `tweets.csv: row 17`."""
        return f"{self.files[self.file_numbers[index]]}: row {self.rows[index]:,}"

    def select(self, indices: NDArray[np.int64]) -> "LabelledTexts":
        """The texts at `indices`: int64[n], in that order."""
        return replace(
            self,
            texts=[self.texts[index] for index in indices.tolist()],
            labels=self.labels[indices],
            rows=self.rows[indices],
            file_numbers=self.file_numbers[indices],
        )


def drop_equal_texts(texts: LabelledTexts) -> LabelledTexts:
    """Keep the first of equal texts, and none of them when their labels differ.

    Texts are equal when they differ in nothing but white space.
    """
    first_of: dict[str, int] = {}
    keep = np.ones(len(texts), bool)
    contradicted: set[int] = set()
    labels = texts.labels.tolist()
    copies: list[tuple[int, int]] = []
    for index, text in enumerate(texts.texts):
        first = first_of.setdefault(comparable(text), index)
        if first != index:
            keep[index] = False
            copies.append((index, first))
            if labels[first] != labels[index]:
                contradicted.add(first)
    if not copies:
        return texts
    contradictory = len(contradicted) + sum(first in contradicted for _, first in copies)
    keep[list(contradicted)] = False
    duplicates = len(texts) - int(keep.sum()) - contradictory
    notes = []
    if duplicates:
        notes.append(f"{duplicates:,} copies of equal texts")
    if contradictory:
        where = texts.place(min(contradicted))
        notes.append(
            f"{contradictory:,} rows whose equal texts have different labels (first: {where})"
        )
    kept = texts.select(np.flatnonzero(keep))
    if not len(kept):
        raise DataError(
            f"All {len(texts):,} texts contradict each other: equal texts have different labels. "
            "Is data.layout.text the right column?"
        )
    return replace(
        kept,
        notes=(*texts.notes, f"Left out by data.deduplicate: {' and '.join(notes)}."),
        facts=replace(texts.facts, duplicates=duplicates, contradictory=contradictory),
    )


def drop_shared_texts(texts: LabelledTexts, test_texts: LabelledTexts) -> LabelledTexts:
    """Leave out of `texts` what stands in the test files too, which stay as they are."""
    in_test = set(map(comparable, test_texts.texts))
    keep = np.array([comparable(text) not in in_test for text in texts.texts], bool)
    shared = len(texts) - int(keep.sum())
    if not shared:
        return texts
    if shared == len(texts):
        raise DataError(
            f"All {shared:,} texts of data.path stand in data.test_path too. Give different files."
        )
    note = f"Left out of the training files: {shared:,} texts that stand in the test files too."
    return replace(
        texts.select(np.flatnonzero(keep)),
        notes=(*texts.notes, note),
        facts=replace(texts.facts, shared_with_test=shared),
    )


def comparable(text: str) -> str:
    """What two texts are compared by: the text with single spaces for all white space."""
    joined = " ".join(text.split())
    # The same object again, so that it does not take memory twice.
    return text if joined == text else joined
