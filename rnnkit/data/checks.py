"""What would mislead is refused before training: splits that lack a class, sorted rows, ..."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnkit.errors import DataError
from rnnkit.tables.labelled import LabelledTexts, comparable

if TYPE_CHECKING:
    from rnnkit.data.split_texts import SplitIndices

_SORTED_BELOW = 0.2
"""Rows count as sorted when the class changes less often than this share of what shuffled rows
would show."""


def check_classes(texts: LabelledTexts) -> None:
    """Raise DataError when there is nothing to tell apart, or a class without a text."""
    counts = np.bincount(texts.labels, minlength=len(texts.classes))
    present = [name for name, count in zip(texts.classes, counts, strict=True) if count]
    if len(present) < 2:
        raise DataError(
            f"All {len(texts):,} texts have the class {present[0]!r}; at least two classes are "
            "needed. Check data.path (perhaps it is sorted and was cut off) and "
            "data.layout.label."
        )
    missing = [name for name in texts.classes if name not in present]
    if missing:
        raise DataError(
            f"No text has the class {', '.join(map(repr, missing))}; there are "
            f"{_list_counts(texts, texts.labels)}. Remove it from data.labels, or add texts."
        )


def check_ordered(texts: LabelledTexts) -> None:
    """Raise DataError when the rows are sorted by class, wholly or for the most part."""
    labels = texts.labels
    shares = np.bincount(labels, minlength=len(texts.classes)) / len(labels)
    expected = (len(labels) - 1) * (1.0 - float(np.square(shares).sum()))
    changes = int(np.count_nonzero(np.diff(labels)))
    if len(labels) > 2 * len(texts.classes) and changes < _SORTED_BELOW * expected:
        raise DataError(
            f"The rows are sorted by class: it changes {changes:,} times in {len(labels):,} rows, "
            f"where about {expected:,.0f} would be usual. An ordered split would train on some "
            "classes and score on others. Set data.split: stratified, or shuffle the file."
        )


def check_splits(
    texts: LabelledTexts,
    indices: "SplitIndices",
    *,
    validation_fraction: float,
    test_fraction: float,
) -> None:
    """Raise DataError when a split that is wanted lacks a class."""
    wanted = {"train": 1.0, "validation": validation_fraction, "test": test_fraction}
    for name, fraction in wanted.items():
        if not fraction:
            continue
        chosen: NDArray[np.int64] = getattr(indices, name)
        present = np.bincount(texts.labels[chosen], minlength=len(texts.classes)) > 0
        missing = [
            repr(cls) for cls, there in zip(texts.classes, present, strict=True) if not there
        ]
        if missing:
            part = "training" if name == "train" else name
            raise DataError(
                f"The {part} split of {len(chosen):,} of {len(texts):,} texts has none of class "
                f"{', '.join(missing)}; altogether there are {_list_counts(texts, texts.labels)}. "
                "Set data.split: stratified, change the fractions, or add texts."
            )


def check_separate(texts: LabelledTexts, indices: "SplitIndices") -> None:
    """Raise DataError when equal texts stand in two splits."""
    seen: dict[str, tuple[str, int]] = {}
    shared, example = 0, ""
    for name in ("train", "validation", "test"):
        for index in getattr(indices, name).tolist():
            other, first = seen.setdefault(comparable(texts.texts[index]), (name, index))
            if other != name:
                shared += 1
                example = example or f"{texts.place(first)} and {texts.place(index)}"
    if shared:
        raise DataError(
            f"{shared:,} texts of one split stand in another one too, for example {example}. "
            "Scores would reward remembering. Set data.deduplicate: true"
        )


def check_separate_test(texts: LabelledTexts, test_texts: LabelledTexts) -> None:
    """Raise DataError when texts of the test files stand in the training files too."""
    first_of = {comparable(text): index for index, text in enumerate(test_texts.texts)}
    shared = [index for index, text in enumerate(texts.texts) if comparable(text) in first_of]
    if shared:
        other = test_texts.place(first_of[comparable(texts.texts[shared[0]])])
        raise DataError(
            f"{len(shared):,} texts of data.path stand in data.test_path too, for example "
            f"{texts.place(shared[0])} and {other}. Scores would reward remembering. Set "
            "data.deduplicate: true"
        )


def _list_counts(texts: LabelledTexts, labels: NDArray[np.int32]) -> str:
    counts = np.bincount(labels, minlength=len(texts.classes)).tolist()
    return ", ".join(f"{count:,} {name}" for count, name in zip(counts, texts.classes, strict=True))
