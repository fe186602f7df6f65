"""The division of data into training, validation and test split: of a text, or of labelled items.

Labelled items are anything with a class: texts, series. `labels` are int32[items], indices into
`classes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rnnkit.errors import DataError

SplitName = Literal["train", "validation", "test"]

_SORTED_BELOW = 0.2
"""Items count as sorted when the class changes less often than this fraction of what a shuffled
order would show."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 text`, `2,000 texts`, `2 copies`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


@dataclass(frozen=True)
class Splits:
    """Token positions of the three splits, which follow each other without gap or overlap."""

    train: range
    validation: range
    test: range


def split_contiguous(tokens: int, *, validation_fraction: float, test_fraction: float) -> Splits:
    """Divide a text: the first tokens train, then come validation and test.

    10 % of 1,115,394 tokens leave 1,003,854 for training. Fractions are taken as the decimal
    numbers they are written as: `1 - 0.3 - 0.3` of 10 tokens is 4 and not 3.
    """
    validation_share = Decimal(repr(validation_fraction))
    test_share = Decimal(repr(test_fraction))
    train_end = max(0, int(tokens * (1 - validation_share - test_share)))
    validation_end = max(train_end, int(tokens * (1 - test_share)))
    return Splits(
        train=range(0, train_end),
        validation=range(train_end, validation_end),
        test=range(validation_end, tokens),
    )


@dataclass(frozen=True, eq=False)
class SplitIndices:
    """Indices of items, int64[n] in rising order each; together every item once."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def stratified_split(
    labels: NDArray[np.int32],
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    classes: Sequence[str],
    noun: str = "text",
) -> SplitIndices:
    """Draw the same fraction of every class for each split, to within one item.

    A split with a fraction above 0 gets at least one item of every class.

    Raises:
        DataError: a class has fewer items than there are splits.
    """
    held_out = [fraction for fraction in (validation_fraction, test_fraction) if fraction > 0]
    chosen: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for code in range(len(classes)):
        members = np.flatnonzero(labels == code)
        if len(members) <= len(held_out):
            raise DataError(
                f"Class {classes[code]!r} has {counted(len(members), noun)}, and there are "
                f"{len(held_out) + 1} splits (training"
                f"{', validation' if validation_fraction else ''}"
                f"{', test' if test_fraction else ''}) that each need at least one. Add {noun}s of "
                "that class, or set a fraction to 0."
            )
        shuffled = np.random.default_rng((seed, code)).permutation(members)
        test = _number_of(len(members), test_fraction, leave=len(held_out))
        validation = _number_of(len(members), validation_fraction, leave=test + 1)
        chosen[0].append(shuffled[test + validation :])
        chosen[1].append(shuffled[test : test + validation])
        chosen[2].append(shuffled[:test])
    train, validation, test = (np.sort(np.concatenate(split)) for split in chosen)
    return SplitIndices(train, validation, test)


def ordered_split(items: int, *, validation_fraction: float, test_fraction: float) -> SplitIndices:
    """Divide items as they are ordered: training, validation, test."""
    splits = split_contiguous(
        items, validation_fraction=validation_fraction, test_fraction=test_fraction
    )
    train, validation, test = (
        np.arange(split.start, split.stop)
        for split in (splits.train, splits.validation, splits.test)
    )
    return SplitIndices(train, validation, test)


def fold_split(
    labels: NDArray[np.int32],
    *,
    number: int,
    of: int,
    validation_fraction: float,
    seed: int,
    classes: Sequence[str],
) -> SplitIndices:
    """Hold out fold `number` (from 1) of `of` as the test split; divide the others as usual.

    Raises:
        DataError: a class has too few items.
    """
    test = stratified_folds(labels, of, seed)[number - 1]
    rest = np.setdiff1d(np.arange(len(labels)), test, assume_unique=True)
    inner = stratified_split(
        labels[rest],
        validation_fraction=validation_fraction,
        test_fraction=0.0,
        seed=seed,
        classes=classes,
    )
    return SplitIndices(rest[inner.train], rest[inner.validation], test)


def stratified_folds(
    labels: NDArray[np.int32], folds: int, seed: int, *, noun: str = "text"
) -> list[NDArray[np.int64]]:
    """Divide items into `folds` of equal size with equal fractions of every class.

    Sizes differ by at most one item, those of a class likewise. Returns int64[n] in rising order
    for each fold.

    Raises:
        DataError: a class has fewer items than there are folds.
    """
    fold_of = np.empty(len(labels), np.int64)
    dealt = 0
    for code in np.unique(labels):
        members = np.flatnonzero(labels == code)
        if len(members) < folds:
            raise DataError(
                f"The smallest class has {counted(len(members), noun)}, too few for {folds} folds. "
                f"Take at most {len(members)} folds, or add {noun}s of that class."
            )
        shuffled = np.random.default_rng((seed, int(code), folds)).permutation(members)
        # Dealing continues where the class before ended, so that no fold gets all remainders.
        fold_of[shuffled] = (dealt + np.arange(len(members))) % folds
        dealt += len(members)
    return [np.flatnonzero(fold_of == fold) for fold in range(folds)]


def _number_of(items: int, fraction: float, *, leave: int) -> int:
    """Return `fraction` of `items`, rounded half up, at least 1 unless it is 0, `leave` left."""
    if not fraction:
        return 0
    exact = Decimal(repr(fraction)) * items
    return max(1, min(int(exact.to_integral_value(ROUND_HALF_UP)), items - leave))


# --------------------------------------------------------------------- divisions that would mislead


def check_classes(labels: NDArray[np.int32], classes: Sequence[str], *, noun: str = "text") -> None:
    """Raise DataError when there is only one class, or a class without an item."""
    counts = np.bincount(labels, minlength=len(classes))
    present = [name for name, count in zip(classes, counts, strict=True) if count]
    if len(present) < 2:
        every = f"The only {noun} has" if len(labels) == 1 else f"All {len(labels):,} {noun}s have"
        raise DataError(
            f"{every} the class {present[0]!r}; at least two classes are needed. Check data.path "
            "(perhaps it is sorted and was cut off) and data.layout.label."
        )
    missing = [name for name in classes if name not in present]
    if missing:
        raise DataError(
            f"No {noun} has the class {', '.join(map(repr, missing))}; there are "
            f"{_list_counts(labels, classes)}. Remove it from data.labels, or add {noun}s."
        )


def check_ordered(labels: NDArray[np.int32], classes: Sequence[str]) -> None:
    """Raise DataError when the rows are sorted by class, wholly or for the most part."""
    fractions = np.bincount(labels, minlength=len(classes)) / len(labels)
    expected = (len(labels) - 1) * (1.0 - float(np.square(fractions).sum()))
    changes = int(np.count_nonzero(np.diff(labels)))
    if len(labels) > 2 * len(classes) and changes < _SORTED_BELOW * expected:
        raise DataError(
            f"The rows are sorted by class: it changes {counted(changes, 'time')} in "
            f"{len(labels):,} rows, where about {expected:,.0f} would be usual. An ordered split "
            "would train on some classes and score on others. Set data.split: stratified, or "
            "shuffle the file."
        )


def check_splits(
    labels: NDArray[np.int32],
    classes: Sequence[str],
    indices: SplitIndices,
    *,
    validation_fraction: float,
    test_fraction: float,
    noun: str = "text",
) -> None:
    """Raise DataError when a split with a fraction above 0 lacks a class."""
    for name, chosen, fraction in (
        ("training", indices.train, 1.0),
        ("validation", indices.validation, validation_fraction),
        ("test", indices.test, test_fraction),
    ):
        present = np.bincount(labels[chosen], minlength=len(classes)) > 0
        missing = [repr(cls) for cls, has in zip(classes, present, strict=True) if not has]
        if fraction and missing:
            raise DataError(
                f"The {name} split of {len(chosen):,} of {len(labels):,} {noun}s has none of class "
                f"{', '.join(missing)}; altogether there are {_list_counts(labels, classes)}. "
                f"Set data.split: stratified, change the fractions, or add {noun}s."
            )


def _list_counts(labels: NDArray[np.int32], classes: Sequence[str]) -> str:
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    return ", ".join(f"{count:,} {name}" for count, name in zip(counts, classes, strict=True))


_NOTES: Mapping[SplitName, tuple[str, ...]] = {
    "test": (),
    "validation": (
        "This run holds out no test split, so its validation split is scored: training used it to "
        "decide when to stop, so the scores are a little too good.",
    ),
    "train": (
        "This run holds nothing out, so its training split is scored: the scores measure "
        "memorization, not generalization.",
    ),
}


def choose_split(
    sizes: Mapping[SplitName, int], wanted: SplitName | None
) -> tuple[SplitName, tuple[str, ...]]:
    """Return the split to score and notes on it: the wanted one, or the first that is not empty.

    Test comes before validation, and training last.

    Args:
        sizes: tokens or texts of every split.
        wanted: a split, None for the default.

    Raises:
        DataError: the wanted split is empty.
    """
    order: tuple[SplitName, ...] = ("test", "validation", "train")
    available: list[SplitName] = [name for name in order if sizes[name]]
    if wanted is None and available:
        return available[0], _NOTES[available[0]]
    if wanted is None or wanted not in available:
        raise DataError(
            f"This run has no {wanted or 'text'} split (data.{wanted}_fraction is 0); there is: "
            f"{', '.join(available) or 'none'}."
        )
    return wanted, ()
